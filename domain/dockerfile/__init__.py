"""The Dockerfile language: from text to typed instructions."""
