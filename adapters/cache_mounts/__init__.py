"""Cache mounts: directories that outlive builds."""
