"""Layers as tar streams, packed and unpacked."""
