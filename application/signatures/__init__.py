"""Signatures of images in registries and in the store."""
