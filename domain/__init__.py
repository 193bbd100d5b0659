"""The rules and values of builds, without I/O."""
