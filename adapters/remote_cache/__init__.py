"""Caches of builds in object stores and in the cache service of GitHub Actions."""
