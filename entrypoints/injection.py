"""dependency_injector without what img has no use for, which is most of what it imports.

It takes three names of asyncio, whose package brings ssl and all kinds of event loops, two for
wiring modules, and looks for web frameworks and for pydantic: 20 ms of each command, and 60 where
these are installed.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

_CALLED_LATER = {
    "asyncio": ("Future", "ensure_future", "gather"),
    "configparser": ("ConfigParser",),
    "dependency_injector.wiring": ("unwire", "wire"),
}
_UNUSED = (
    "fast_depends",
    "fastapi",
    "pydantic",
    "pydantic_settings",
    "starlette",
    "werkzeug",
    "yaml",
)


class _Hidden:
    """A finder of modules that finds none of the unused ones."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> None:
        if fullname in _UNUSED:
            raise ModuleNotFoundError(f"{fullname} is of no use here", name=fullname)


@contextmanager
def _without_unused() -> Iterator[None]:
    # None in sys.modules would say the same, but not to Cython.
    hidden = _Hidden()
    stand_ins = {name: _stand_in(name) for name in _CALLED_LATER.keys() - sys.modules.keys()}
    sys.meta_path.insert(0, hidden)
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name in stand_ins:
            del sys.modules[name]
        sys.meta_path.remove(hidden)


def _stand_in(module: str) -> ModuleType:
    """Return what has the names that are taken of ``module``; to call one imports it."""
    stand_in = ModuleType(module)
    for name in _CALLED_LATER[module]:
        setattr(stand_in, name, _calling(module, name))
    return stand_in


def _calling(module: str, name: str) -> Callable[..., Any]:
    def call(*arguments: object, **named: object) -> Any:
        return getattr(import_module(module), name)(*arguments, **named)

    return call


with _without_unused():
    from dependency_injector import containers, providers

__all__ = ["containers", "providers"]
