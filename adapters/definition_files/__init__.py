"""Files that define bake targets."""
