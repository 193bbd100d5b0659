"""Storage of immutable bytes by digest."""
