"""Results for builds elsewhere (``--cache-to``)."""
