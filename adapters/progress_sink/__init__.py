"""Where progress goes."""
