"""A /proc for steps where none can be mounted: calls that look for it are answered."""
