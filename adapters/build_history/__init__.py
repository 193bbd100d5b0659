"""Adapters of the port build_history."""
