"""Export of caches (``--cache-to``)."""
