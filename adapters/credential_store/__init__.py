"""Credentials for registries."""
