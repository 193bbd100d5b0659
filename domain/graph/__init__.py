"""The graph of a build: vertices with operations and cache keys."""
