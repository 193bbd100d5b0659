"""Go's templates, which docker uses for --format."""
