"""Layers of images, fetched when they are needed."""
