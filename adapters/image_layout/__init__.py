"""Image layouts outside of the state."""
