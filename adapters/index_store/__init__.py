"""File indexes by layer."""
