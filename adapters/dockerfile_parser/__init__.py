"""Dockerfile text becomes raw instructions."""
