"""Finding the program of a step, with the words of runc where there is none."""

import errno
import os
import stat

from img.application.ports.executor import ProcessNotStarted

_MOST_INTERPRETERS = 5  # fs/exec.c, exec_binprm
_LINE = 256  # bytes the kernel looks at (linux/binfmts.h, BINPRM_BUF_SIZE)


def find_executable(name: str, search: str) -> str:
    """Return the path of ``name``, looked up in ``search`` ($PATH). Raises ProcessNotStarted."""
    path = name if "/" in name else _look_up(name, search)
    _require_executable(path)
    _refuse_ourselves(path)
    return path


def go_text(error: OSError) -> str:
    """Return the error as Go words it, for that is what people search for."""
    return os.strerror(error.errno or errno.EIO).lower()


def _look_up(name: str, search: str) -> str:
    for directory in search.split(":"):
        path = os.path.join(directory or ".", name)
        try:
            _require_executable(path)
        except ProcessNotStarted:
            continue
        return path
    raise ProcessNotStarted(f'exec: "{name}": executable file not found in $PATH')


def _require_executable(path: str) -> None:
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        raise ProcessNotStarted(f'exec: "{path}": stat {path}: {go_text(error)}') from error
    except ValueError as error:  # a zero byte
        raise ProcessNotStarted(f'exec: "{path}": {error}') from error
    if stat.S_ISDIR(mode):
        raise ProcessNotStarted(f'exec: "{path}": is a directory')
    if not os.access(path, os.X_OK, effective_ids=True):
        raise ProcessNotStarted(f'exec: "{path}": permission denied')


def _refuse_ourselves(path: str) -> None:
    # A step whose program, or whose program's interpreter, is /proc/self/exe would run the Python
    # that runs us, and with it hold a file of the host that it may write (CVE-2019-5736).
    ours = os.stat("/proc/self/exe")
    for _ in range(_MOST_INTERPRETERS):
        try:
            if os.path.samestat(os.stat(path), ours):
                raise ProcessNotStarted(f'exec: "{path}": is the program that builds')
            path = _interpreter_of(path)
        except OSError:
            return
        if not path:
            return


def _interpreter_of(path: str) -> str:
    with open(path, "rb") as file:
        line = file.read(_LINE).partition(b"\n")[0]
    words = line[2:].split() if line.startswith(b"#!") else []
    return os.fsdecode(words[0].partition(b"\0")[0]) if words else ""
