"""One process in one root file system."""
