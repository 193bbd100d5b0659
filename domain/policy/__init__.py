"""Policies: the sources that a build may use, and the images that it may make."""
