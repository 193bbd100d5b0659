"""Workers that run steps."""
