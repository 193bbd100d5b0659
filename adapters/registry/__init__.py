"""Blobs and manifests in remote registries."""
