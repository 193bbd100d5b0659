"""Directories and files of the host for steps."""
