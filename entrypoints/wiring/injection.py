"""dependency_injector, typed, without the modules that it imports and img does not use.

An unmodified import takes three times as long (80 ms instead of 25 with Python 3.11), which every
command would pay. The library imports asyncio, with ssl (40 ms), for three functions that only
asynchronous providers call, and dependency_injector.wiring (7 ms) for two functions. It also looks
for pydantic, yaml and web frameworks, which takes about 10 ms for each that is installed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

# Functions that the library imports and img does not call.
_UNUSED_FUNCTIONS = {
    "asyncio": ("Future", "ensure_future", "gather"),
    "dependency_injector.wiring": ("unwire", "wire"),
}
_UNUSED_PACKAGES = (
    "fast_depends",
    "fastapi",
    "pydantic",
    "pydantic_settings",
    "starlette",
    "werkzeug",
    "yaml",
)


class _HidingFinder:
    """A finder that reports the unused packages as not installed."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> None:
        if fullname in _UNUSED_PACKAGES:
            raise ModuleNotFoundError(f"{fullname} is not used here", name=fullname)


@contextmanager
def _without_unused() -> Iterator[None]:
    # None in sys.modules would hide a package from Python code, but not from Cython's imports.
    hiding = _HidingFinder()
    placeholders = {
        name: _placeholder(name) for name in _UNUSED_FUNCTIONS.keys() - sys.modules.keys()
    }
    sys.meta_path.insert(0, hiding)
    sys.modules.update(placeholders)
    try:
        yield
    finally:
        for name in placeholders:
            del sys.modules[name]
        sys.meta_path.remove(hiding)


def _placeholder(module: str) -> ModuleType:
    """Return a module with the unused functions of ``module``; a call imports the real one."""
    placeholder = ModuleType(module)
    for name in _UNUSED_FUNCTIONS[module]:
        setattr(placeholder, name, _imported_when_called(module, name))
    return placeholder


def _imported_when_called(module: str, name: str) -> Callable[..., Any]:
    def call(*arguments: object, **named: object) -> Any:
        return getattr(import_module(module), name)(*arguments, **named)

    return call


with _without_unused():
    from dependency_injector import containers, providers

__all__ = ["Wiring", "attributes_of", "needs", "providers", "select"]

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


def needs() -> Any:
    """Return a placeholder of another container; the attribute is annotated with its class."""
    return providers.DependenciesContainer()


def attributes_of(provider: providers.Provider[_Provided]) -> _Provided:
    """Return providers of the attributes of a provided object, typed as the object."""
    return cast(_Provided, provider.provided)


def select(choice: object, **adapters: Callable[..., _Provided]) -> providers.Provider[_Provided]:
    """Return a provider of one of ``adapters``: the one with the name that ``choice`` provides."""
    chosen = cast(Callable[[], str], choice)
    return cast(
        providers.Provider[_Provided],
        providers.Selector(chosen, **cast(dict[str, providers.Provider[_Provided]], adapters)),
    )
