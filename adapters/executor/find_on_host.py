"""Lookup of programs of the host that executors need."""

import os

from img.application.ports.executor import ExecutorUnavailable


class ProgramMissing(ExecutorUnavailable):
    """A program that an executor needs is not installed."""


def find_program(name: str, *, otherwise: str = "leave --executor to img") -> str:
    """Return the path of a program that an executor needs. Raises ProgramMissing."""
    search = f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin"
    for directory in search.split(os.pathsep):
        path = os.path.join(directory, name)
        if directory and os.access(path, os.X_OK):
            return path
    raise ProgramMissing(f"{name} is not installed", hint=f"install {name}, or {otherwise}")
