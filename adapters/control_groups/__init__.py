"""Control groups with resource limits for steps."""
