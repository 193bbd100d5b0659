"""Files and directories that a user asked for."""
