"""Displays and records of progress."""
