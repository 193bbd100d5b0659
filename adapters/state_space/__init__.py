"""Disk usage of the state, and leftovers of killed processes."""
