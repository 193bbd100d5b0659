"""What becomes of the result of a build."""
