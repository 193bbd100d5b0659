"""Signatures of images: what is signed, and how registries hold it (cosign's formats)."""
