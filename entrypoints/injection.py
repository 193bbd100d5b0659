"""dependency_injector without what img has no use for, which is most of what it imports.

It takes three names of asyncio, whose package brings ssl and all kinds of event loops, and looks
for web frameworks and for pydantic: 10 ms of each command, and 50 where these are installed.
"""

import importlib.util
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from types import ModuleType

_UNUSED = (
    "fast_depends",
    "fastapi",
    "pydantic",
    "pydantic_settings",
    "starlette",
    "werkzeug",
    "yaml",
)


class _Hidden(MetaPathFinder):
    """Finds that there is none of the unused modules."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> None:
        if fullname in _UNUSED:
            raise ModuleNotFoundError(f"{fullname} is of no use here", name=fullname)


@contextmanager
def _without_unused() -> Iterator[None]:
    # None in sys.modules would say the same, but not to Cython.
    hidden = _Hidden()
    sys.meta_path.insert(0, hidden)
    try:
        yield
    finally:
        sys.meta_path.remove(hidden)


def _load_asyncio_later() -> None:
    """Import the three names; whoever asks the package for another one makes it load the rest."""
    spec = importlib.util.find_spec("asyncio")
    if "asyncio" in sys.modules or spec is None or spec.loader is None:
        return
    loader = spec.loader
    package = importlib.util.module_from_spec(spec)

    def load(name: str) -> object:
        package.__dict__.pop("__getattr__", None)
        loader.exec_module(package)
        return getattr(package, name)

    sys.modules["asyncio"] = package
    from asyncio.futures import Future
    from asyncio.tasks import ensure_future, gather

    vars(package).update(Future=Future, ensure_future=ensure_future, gather=gather)
    vars(package)["__getattr__"] = load


_load_asyncio_later()
with _without_unused():
    from dependency_injector import containers, providers

__all__ = ["containers", "providers"]
