"""Definitions of several builds in one file, as ``docker buildx bake`` has them."""
