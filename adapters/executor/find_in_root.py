"""Lookup of the program of a step; errors are worded as runc words them."""

import errno
import os
import stat
from collections.abc import Callable

from img.adapters.linux import syscalls
from img.application.ports.executor import ProcessNotStarted

_Status = Callable[[str], os.stat_result]


def find_executable(name: str, search: str) -> str:
    """Return the path of ``name``, looked up in ``search`` ($PATH). Raises ProcessNotStarted."""
    return _found(name, search, _status_for_us)


def find_executable_in(root: int, name: str, search: str, cwd: str) -> str:
    """Return the path of ``name`` inside ``root``, an O_PATH descriptor of another root.

    The directory ``cwd`` must exist there already. Raises ProcessNotStarted.
    """

    def status(path: str) -> os.stat_result:
        found = syscalls.openat2(root, os.path.join(cwd, path), os.O_PATH)
        try:
            return os.fstat(found)
        finally:
            os.close(found)

    return _found(name, search, status)


def go_text(error: OSError) -> str:
    """Return the error in Go's words, because users search for those."""
    return os.strerror(error.errno or errno.EIO).lower()


def _found(name: str, search: str, status: _Status) -> str:
    path = name if "/" in name else _look_up(name, search, status)
    _require_executable(path, status)
    return path


def _status_for_us(path: str) -> os.stat_result:
    """Return the status of a file, without execute bits if this process may not execute it."""
    found = os.stat(path)
    if os.access(path, os.X_OK, effective_ids=True):
        return found
    return os.stat_result((found.st_mode & ~0o111, *found[1:]))


def _look_up(name: str, search: str, status: _Status) -> str:
    for directory in search.split(":"):
        path = os.path.join(directory or ".", name)
        try:
            _require_executable(path, status)
        except ProcessNotStarted:
            continue
        return path
    raise ProcessNotStarted(f'exec: "{name}": executable file not found in $PATH')


def _require_executable(path: str, status: _Status) -> None:
    try:
        mode = status(path).st_mode
    except OSError as error:
        raise ProcessNotStarted(f'exec: "{path}": stat {path}: {go_text(error)}') from error
    except ValueError as error:  # a zero byte
        raise ProcessNotStarted(f'exec: "{path}": {error}') from error
    if stat.S_ISDIR(mode):
        raise ProcessNotStarted(f'exec: "{path}": is a directory')
    if not stat.S_ISREG(mode):
        raise ProcessNotStarted(f'exec: "{path}": is not a regular file')
    if not mode & 0o111:
        raise ProcessNotStarted(f'exec: "{path}": permission denied')
