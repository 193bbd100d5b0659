"""Git repositories as build contexts."""
