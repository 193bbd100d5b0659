"""Everything the hexagon needs from outside, one Protocol a file."""
