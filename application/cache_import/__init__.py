"""Results of builds elsewhere (``--cache-from``)."""
