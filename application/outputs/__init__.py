"""Outputs of builds: images, archives, files."""
