"""Clusters that exist for one command, and their workers."""
