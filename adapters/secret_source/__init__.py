"""Secrets and SSH agents."""
