"""Waits for what sends no event: processes, mounts and files of other processes."""

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")

_BETWEEN_LOOKS_S = 0.02


def last_of(
    look: Callable[[], Value], wanted: Callable[[Value], object], *, patience_s: float
) -> Value:
    """Call ``look`` until the result is ``wanted``, or for ``patience_s`` s; return it."""
    deadline = time.monotonic() + patience_s
    while not wanted(found := look()) and time.monotonic() < deadline:
        time.sleep(_BETWEEN_LOOKS_S)
    return found


def wait_until(look: Callable[[], Value], what: str, *, patience_s: float = 60.0) -> Value:
    """Return the first true result of ``look``. Raises AssertionError, which names ``what``."""
    found = last_of(look, bool, patience_s=patience_s)
    assert found, f"not within {patience_s:g} s: {what}"
    return found


def wait_while(look: Callable[[], Value], *, patience_s: float = 60.0) -> Value:
    """Return the first false result of ``look``, or the last true one: the things left."""
    return last_of(look, lambda found: not found, patience_s=patience_s)
