"""The current time."""
