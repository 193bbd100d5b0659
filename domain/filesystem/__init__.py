"""File trees as values: entries, layers, paths and ownership."""
