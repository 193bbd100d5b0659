"""Files that hold a whole file system."""
