"""Use cases: one for each command."""
