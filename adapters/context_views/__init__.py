"""Files of build contexts as directories."""
