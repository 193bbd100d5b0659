"""Running one process in one root file system."""
