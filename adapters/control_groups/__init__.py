"""Adapters of the port `control_groups`."""
