"""Room for bytes that are needed for a moment."""
