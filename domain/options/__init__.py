"""The values of command line options."""
