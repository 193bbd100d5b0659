"""The supervisor of system calls of steps (seccomp_unotify(2))."""
