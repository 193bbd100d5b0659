"""Cache key to layer."""
