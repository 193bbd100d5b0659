"""Remote blobs and manifests."""
