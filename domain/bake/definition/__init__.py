"""Definitions of targets: files to resolved targets."""
