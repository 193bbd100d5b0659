"""Import of caches (``--cache-from``)."""
