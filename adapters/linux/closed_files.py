"""Files of ours with modes that keep their owner out, where no capability passes that by."""

import errno
import os
import stat
from collections.abc import Callable
from typing import TypeVar

_Result = TypeVar("_Result")
Target = int | str | bytes
"""A descriptor, or a path whose last component may be a link."""


def as_owner(target: Target, act: Callable[[], _Result]) -> _Result:
    """Return what ``act`` returns, which reads or writes a regular file or a directory.

    If its mode forbids that, the owner has both rights for a moment, which changes the ctime.
    Raises what ``act`` raises.
    """
    try:
        return act()
    except PermissionError as error:
        if error.errno != errno.EACCES:
            raise
        status = os.stat(target)  # nobody is refused so for a link itself
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            raise
    mode = stat.S_IMODE(status.st_mode)
    os.chmod(target, mode | stat.S_IRUSR | stat.S_IWUSR)
    try:
        return act()
    finally:
        os.chmod(target, mode)
