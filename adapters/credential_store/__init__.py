"""Who to be at which registry."""
