"""Repositories of git."""
