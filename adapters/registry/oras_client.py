"""The client of oras without unused parts: its pauses, its log messages, and jsonschema."""

import inspect
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType


class _LazyModule(ModuleType):
    """A placeholder for a module, which is imported on first use of an attribute."""

    def __getattr__(self, name: str) -> object:
        return getattr(import_module(self.__name__), name)


@contextmanager
def _imported_lazily(name: str) -> Iterator[None]:
    """Make imports of the module inside return a placeholder; other threads get the module."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = _LazyModule(name)
    try:
        yield
    finally:
        del sys.modules[name]


# A third of the import time of oras. It checks manifests that oras writes; img does not use those.
with _imported_lazily("jsonschema"):
    from oras.provider import Registry as Client

# oras sleeps for 3, 5, 11, 29 and 83 s around it, after any error.
do_request = inspect.unwrap(Client.do_request)
# oras logs errors that it also returns; without a handler Python prints them on stderr.
logging.getLogger("oras").addHandler(logging.NullHandler())
logging.getLogger("oras").propagate = False

__all__ = ["Client", "do_request"]
