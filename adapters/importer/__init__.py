"""Archives of images, read."""
