"""Output files and directories of a build."""
