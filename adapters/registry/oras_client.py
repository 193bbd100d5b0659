"""oras without what img does not use of it: its pauses, its messages, and jsonschema."""

import inspect
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType


class _Later(ModuleType):
    """Stands for a module, which is imported when something is asked of it."""

    def __getattr__(self, name: str) -> object:
        return getattr(import_module(self.__name__), name)


@contextmanager
def _later(name: str) -> Iterator[None]:
    """Let who imports the module meanwhile have a stand-in; all others get the module."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = _Later(name)
    try:
        yield
    finally:
        del sys.modules[name]


# A third of what oras takes to import. It checks the manifests that oras writes; ours are not.
with _later("jsonschema"):
    from oras.provider import Registry as Client

# Around it oras sleeps for 3, 5, 11, 29 and 83 s, whatever went wrong.
do_request = inspect.unwrap(Client.do_request)
# oras logs errors that it also returns; without a handler Python prints them on stderr.
logging.getLogger("oras").addHandler(logging.NullHandler())
logging.getLogger("oras").propagate = False

__all__ = ["Client", "do_request"]
