"""Keys that make and check signatures."""
