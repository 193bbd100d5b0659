"""The terminal of the user."""
