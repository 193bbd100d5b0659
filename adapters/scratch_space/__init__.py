"""Temporary storage for bytes."""
