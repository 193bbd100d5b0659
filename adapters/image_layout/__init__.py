"""Image layouts that belong to somebody else."""
