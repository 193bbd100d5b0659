"""The shared floor of the adapters: system calls and files."""
