"""The packages of images, read from the blobs of their layers."""
