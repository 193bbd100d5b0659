"""What files are, without touching any."""
