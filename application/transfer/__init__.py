"""Images on their way between registries, layouts and the store."""
