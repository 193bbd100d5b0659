"""The process that does the work of the Python API: one command, or reads of one image."""
