"""dependency_injector without what img has no use for, which is most of what it imports.

It takes three names of asyncio, whose package brings ssl and all kinds of event loops, two for
wiring modules, and looks for web frameworks and for pydantic: 20 ms of each command, and 60 where
these are installed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

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

__all__ = ["Wiring", "attributes_of", "needs", "part", "providers", "select"]

_Provided = TypeVar("_Provided")

if TYPE_CHECKING:

    class Wiring:
        """A container, with no other attributes than it declares.

        The library's stub of DeclarativeContainer has an attribute of every name.
        """

        providers: ClassVar[dict[str, providers.Provider[Any]]]

        def __init__(self, **dependencies: object) -> None: ...
else:
    Wiring = containers.DeclarativeContainer


def part(container: type[_Provided], **dependencies: object) -> _Provided:
    """Return a provider of a container inside another one, typed as the container."""
    return cast(_Provided, providers.Container(container, **dependencies))


def needs(container: type[_Provided]) -> _Provided:  # noqa: ARG001 (only its type)
    """Return a placeholder of a container that ``part`` passes, typed as the container."""
    return cast(_Provided, providers.DependenciesContainer())


def attributes_of(provider: providers.Provider[_Provided]) -> _Provided:
    """Return providers of the attributes of a provided object, typed as the object."""
    return cast(_Provided, provider.provided)


def select(choice: object, **adapters: Callable[..., _Provided]) -> providers.Provider[_Provided]:
    """Return a provider that calls the one of ``adapters`` whose name ``choice`` provides."""
    chosen = cast(Callable[[], str], choice)
    return cast(
        providers.Provider[_Provided],
        providers.Selector(chosen, **cast(dict[str, providers.Provider[_Provided]], adapters)),
    )
