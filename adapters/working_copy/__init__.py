"""Adapters of the port working_copy."""
