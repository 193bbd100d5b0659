"""What else takes room in the state."""
