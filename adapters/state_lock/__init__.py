"""Locks between garbage collection and builds."""
