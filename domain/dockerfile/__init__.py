"""The language: Dockerfile text becomes typed instructions."""
