"""Imports that wait."""

from collections.abc import Callable
from importlib import import_module
from typing import Any


def later(path: str) -> Callable[..., Any]:
    """Return what makes the class at ``path``, which is imported when the first is made."""
    module, _, name = path.rpartition(".")

    def make(**parts: object) -> object:
        return getattr(import_module(module), name)(**parts)

    return make
