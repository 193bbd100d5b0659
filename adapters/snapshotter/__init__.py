"""Writable trees on committed layers, and what changed in them."""
