"""Use cases, planning and solving of builds, and the ports that adapters implement."""
