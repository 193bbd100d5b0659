"""dependency_injector, typed, without the modules that it imports and img does not use.

An unmodified import takes three times as long (80 ms instead of 25 with Python 3.11), which every
command would pay. The library imports asyncio, with ssl (40 ms), for three functions that only
asynchronous providers call, and dependency_injector.wiring (7 ms) for two functions. It also looks
for pydantic, yaml and web frameworks, which takes about 10 ms for each that is installed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from img.entrypoints import light_imports

# Functions that the library imports and img does not call.
_UNUSED_FUNCTIONS = {
    "asyncio": ("Future", "ensure_future", "gather"),
    "configparser": ("ConfigParser",),
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


with light_imports.without(_UNUSED_FUNCTIONS, packages=_UNUSED_PACKAGES):
    from dependency_injector import containers, providers

__all__ = ["Wiring", "attributes_of", "providers", "select"]

_Provided = TypeVar("_Provided")

if TYPE_CHECKING:

    class Wiring:
        """A container; the providers that its ``__init__`` makes are its attributes.

        The library's stub of DynamicContainer has an attribute of every name.
        """

        providers: dict[str, providers.Provider[Any]]

        def __init__(self) -> None: ...
else:
    # A declarative container would copy all of its providers for each instance (25 ms a build).
    Wiring = containers.DynamicContainer


def attributes_of(made: _Provided) -> _Provided:
    """Return providers of attributes of ``made``, typed as ``made``; each is read when used."""
    return cast(_Provided, providers.Object(made).provided)


def select(choice: object, **adapters: Callable[..., _Provided]) -> providers.Provider[_Provided]:
    """Return a provider of one of ``adapters``: the one with the name that ``choice`` provides."""
    chosen = cast(Callable[[], str], choice)
    return cast(
        providers.Provider[_Provided],
        providers.Selector(chosen, **cast(dict[str, providers.Provider[_Provided]], adapters)),
    )
