"""What the values of options mean."""
