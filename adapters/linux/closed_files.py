"""Access to this user's own files with modes that lock their owner out, without capabilities."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

_Result = TypeVar("_Result")
Target = int | str | bytes
"""A descriptor, or a path whose last component may be a link."""


def as_owner(target: Target, act: Callable[[], _Result]) -> _Result:
    """Return the result of ``act``, which reads or writes a regular file or a directory.

    If the mode of ``target`` forbids that, the owner gets read and write permission for that
    moment, which changes the ctime. Raises what ``act`` raises.
    """
    try:
        return act()
    except PermissionError as error:
        if error.errno != errno.EACCES:
            raise
        refusal = error
    with _held(target) as held:
        status = os.stat(held)  # a symbolic link itself never refuses access
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            raise refusal
        mode = stat.S_IMODE(status.st_mode)
        try:
            os.chmod(held, mode | stat.S_IRUSR | stat.S_IWUSR)
        except OSError:
            raise refusal from None
        try:
            return act()
        finally:
            os.chmod(held, mode)


@contextmanager
def _held(target: Target) -> Iterator[int | bytes]:
    """Hold the file open, so that a file that replaces it under its name does not get its mode."""
    if isinstance(target, int):
        yield target
        return
    found = os.open(target, os.O_PATH | os.O_CLOEXEC)
    try:
        yield b"/proc/self/fd/%d" % found
    finally:
        os.close(found)
