"""The platforms of the programs that this machine can run."""
