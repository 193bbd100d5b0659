"""An emulated /proc for steps in containers where /proc cannot be mounted."""
