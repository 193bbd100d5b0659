"""Imports and objects that are deferred until their first use.

A command pays for the modules it uses: most adapters and use cases are not imported by most
commands.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from threading import Lock
from typing import Any, ParamSpec, TypeVar, cast

_Parameters = ParamSpec("_Parameters")
_Made = TypeVar("_Made")


@contextmanager
def lazy_imports(importer: str) -> Iterator[None]:
    """Defer the ``from ... import`` statements of module ``importer`` in the ``with`` block.

    Each name becomes a LazyName. One thread at a time may enter: the main thread imports all parts
    of the wiring before others start. Type checkers and import-linter see plain import statements.
    Python 3.15 has this as syntax, for names of all kinds (PEP 810).
    """
    import_now = builtins.__import__

    def import_later(
        name: str,
        scope: dict[str, Any] | None = None,
        local: dict[str, Any] | None = None,
        names: tuple[str, ...] = (),
        level: int = 0,
    ) -> Any:
        if scope is None or scope.get("__name__") != importer:  # such as another thread's import
            return import_now(name, scope, local, names, level)
        return _LazyModule(name)

    builtins.__import__ = import_later  # type: ignore[assignment]
    try:
        yield
    finally:
        builtins.__import__ = import_now


class _LazyModule:
    __slots__ = ("_path",)

    def __init__(self, path: str) -> None:
        self._path = path

    def __getattr__(self, name: str) -> LazyName:
        return LazyName(self._path, name)


class LazyName:
    """A class or function; its module is imported when it is called.

    It can be called and passed on; isinstance() and attributes need an import in the function.
    """

    __slots__ = ("_module", "_name")

    def __init__(self, module: str, name: str) -> None:
        self._module = module
        self._name = name

    def __call__(self, *arguments: object, **named: object) -> Any:
        return self.resolve()(*arguments, **named)

    def resolve(self) -> Any:
        """Return the class or function. Raises ImportError, AttributeError."""
        return getattr(import_module(self._module), self._name)


def lazy(make: Callable[_Parameters, _Made]) -> Callable[_Parameters, _Made]:
    """Return a factory of LazyObjects: each calls ``make`` when the object is first used.

    For objects that most commands get and few use. Each call of a method goes through the
    LazyObject, so objects of inner loops are not worth one.
    """

    def make_later(*arguments: _Parameters.args, **named: _Parameters.kwargs) -> _Made:
        return cast(_Made, LazyObject(lambda: make(*arguments, **named)))

    return make_later


class LazyObject:
    """A placeholder of an object that is made when an attribute is read or the object is called.

    isinstance() does not see the object's class.
    """

    __slots__ = ("_lock", "_made", "_make")

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._lock = Lock()
        self._made: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(_object_of(self), name)

    def __call__(self, *arguments: object, **named: object) -> Any:
        return _object_of(self)(*arguments, **named)


def is_made(one: object) -> bool:
    """Return whether ``one`` exists: False for a LazyObject that was not used."""
    return not isinstance(one, LazyObject) or bool(one._made)


def _object_of(one: LazyObject) -> Any:
    with one._lock:
        if not one._made:
            one._made.append(one._make())
        return one._made[0]
