"""One class for each operation of a build graph."""
