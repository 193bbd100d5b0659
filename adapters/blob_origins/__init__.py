"""The repositories that blobs come from."""
