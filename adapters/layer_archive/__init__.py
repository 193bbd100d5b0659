"""Layers as tar streams, and back."""
