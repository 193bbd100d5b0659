"""What is worth a warning in a Dockerfile: BuildKit's build checks, one function a rule."""
