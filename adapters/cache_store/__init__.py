"""Cache records: layers by cache key."""
