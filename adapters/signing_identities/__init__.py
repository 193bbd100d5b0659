"""Signatures without a key."""
