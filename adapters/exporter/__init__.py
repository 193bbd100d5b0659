"""Images as archives."""
