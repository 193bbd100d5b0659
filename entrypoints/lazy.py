"""Imports that wait."""

from collections.abc import Callable
from importlib import import_module
from threading import Lock
from typing import Any


def later(path: str) -> Callable[..., Any]:
    """Return what makes the class at ``path``, which is imported when the first is made."""
    module, _, name = path.rpartition(".")

    def make(**parts: object) -> object:
        return getattr(import_module(module), name)(**parts)

    return make


def at_first_use(make: Callable[..., Any]) -> Callable[..., Any]:
    """Return what stands for what ``make`` returns: it is made when something is asked of it.

    For what most commands are given and few need. What is called in inner loops is worth no
    stand-in, for each call goes through it.
    """

    def stand_in(*parts: object, **named_parts: object) -> StandIn:
        return StandIn(lambda: make(*parts, **named_parts))

    return stand_in


def when_called(make: Callable[[], Callable[..., Any]]) -> Callable[..., Any]:
    """Return what calls what ``make`` returns: both when it is called, and not before."""

    def call(*arguments: object, **named: object) -> Any:
        return make()(*arguments, **named)

    return call


class StandIn:
    """Something that is made by the first question to it. To isinstance it is a stand-in."""

    __slots__ = ("_lock", "_made", "_make")

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._lock = Lock()
        self._made: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(_made(self), name)

    def __call__(self, *arguments: object, **named: object) -> Any:
        return _made(self)(*arguments, **named)


def is_made(one: object) -> bool:
    """Tell whether ``one`` is no stand-in, or what it stands for was needed."""
    return not isinstance(one, StandIn) or bool(one._made)


def _made(one: StandIn) -> Any:
    with one._lock:
        if not one._made:
            one._made.append(one._make())
        return one._made[0]
