"""Emulated root for steps with one id: their identities, and the owners of files."""
