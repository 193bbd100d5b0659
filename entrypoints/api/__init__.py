"""The Python API, which ``import img`` offers: functions for commands, and images as objects."""
