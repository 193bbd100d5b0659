"""Digests of context files by stamp."""
