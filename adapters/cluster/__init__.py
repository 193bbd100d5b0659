"""Clusters with workers that run steps."""
