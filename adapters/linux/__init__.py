"""System calls, namespaces and processes of Linux, shared by the adapters."""
