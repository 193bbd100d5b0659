"""Builds OCI container images from Dockerfiles: no daemon, no root, no set-up."""

__version__ = "0.1.0"
