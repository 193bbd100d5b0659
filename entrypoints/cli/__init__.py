"""The img command."""
