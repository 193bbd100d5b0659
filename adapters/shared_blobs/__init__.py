"""Stores of blobs that the machines of a cluster share."""
