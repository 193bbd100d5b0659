"""Attestations of images: statements about how they were built, and what they contain."""
