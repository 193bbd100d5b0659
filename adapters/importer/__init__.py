"""Import of archives of images."""
