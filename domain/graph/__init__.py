"""What to do: instructions lowered to vertices with cache keys."""
