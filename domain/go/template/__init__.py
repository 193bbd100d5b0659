"""Templates of Go, as docker takes them for --format."""
