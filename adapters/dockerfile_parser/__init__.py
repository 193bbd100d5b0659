"""Parsers of Dockerfile text into raw instructions."""
