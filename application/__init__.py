"""Use cases and the solver; knows ports, not adapters."""
