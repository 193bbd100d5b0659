"""Files of build contexts as directories, for bind mounts."""
