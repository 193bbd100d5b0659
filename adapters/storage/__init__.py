"""Files, databases and locks of the state directory."""
