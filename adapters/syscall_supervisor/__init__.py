"""Answers to the system calls of a step (seccomp_unotify(2))."""
