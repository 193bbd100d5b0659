"""Directories that outlive builds."""
