"""Imports of libraries without the modules that they import and img does not use.

A command imports typer and dependency_injector, and these import modules for functions that few
commands call: two thirds of the time of their import.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

_NOTHING: Mapping[str, Sequence[str]] = {}


@contextmanager
def without(
    functions: Mapping[str, Sequence[str]] = _NOTHING, *, packages: Sequence[str] = ()
) -> Iterator[None]:
    """Defer the modules in ``functions`` in the ``with`` block, and hide ``packages``.

    ``functions`` has the names that ``from ... import`` statements in the block take from each
    module: functions, and classes that the block only names. They are imported when they are
    called. Attributes of the module itself are imported when they are read. A module that is
    imported already is not deferred. After the block, ``import`` gives the real modules.
    """
    # None in sys.modules would hide a package from Python code, but not from Cython's imports.
    hiding = _HidingFinder(packages)
    placeholders = {
        name: _Placeholder(name, names)
        for name, names in functions.items()
        if name not in sys.modules
    }
    sys.meta_path.insert(0, hiding)
    sys.modules.update(placeholders)
    try:
        yield
    finally:
        for name, placeholder in placeholders.items():
            if sys.modules.get(name) is placeholder:
                del sys.modules[name]
        sys.meta_path.remove(hiding)


class _HidingFinder:
    """A finder that reports packages as not installed."""

    def __init__(self, packages: Sequence[str]) -> None:
        self._packages = packages

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> None:
        if fullname in self._packages:
            raise ModuleNotFoundError(f"{fullname} is not used here", name=fullname)


class _Placeholder(ModuleType):
    """A module that is imported when an attribute is read or one of its functions is called."""

    def __init__(self, name: str, functions: Sequence[str]) -> None:
        super().__init__(name)
        for function in functions:
            setattr(self, function, _imported_when_called(name, function))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # the import system asks for __path__ and __spec__
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


def _imported_when_called(module: str, name: str) -> Callable[..., Any]:
    def call(*arguments: object, **named: object) -> Any:
        return getattr(import_module(module), name)(*arguments, **named)

    return call
