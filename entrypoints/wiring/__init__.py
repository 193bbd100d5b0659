"""Dependency injection: adapters, chosen by settings, connected to use cases."""
