"""Reports on builds: what ran when, and where the bytes of the image are."""
