"""Names of images."""
