"""Writable trees on top of committed layers, and the changes in them."""
