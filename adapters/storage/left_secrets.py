"""Directories in memory that hold, or lead to, secrets of a step; emptied after a crash.

An executor without mounts has to give a step's secrets a path. The process that does holds a lock
on such a directory as long as it lives: one without a lock was left by a process that was killed.
"""

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from img.adapters.storage.work_directory import WorkDirectory

_MEMORY = "/dev/shm"
_SECRETS, _NOTES = "secrets", "notes"


def new_directory() -> "WorkDirectory":
    """Return a new one, empty, that only this user may enter. Raises OSError."""
    return _new(_SECRETS)


def new_notes() -> "WorkDirectory":
    """Return one for ``remember``, in which no step may write. Raises OSError."""
    return _new(_NOTES)


def remember(directory: str, path: str) -> None:
    """Note in ``directory``, of ``new_notes``, that a secret will be at ``path``, an absolute one.

    The file may get other names: it is emptied. No other user may change the directories of
    ``path``.
    """
    os.symlink(path, f"{directory}/{os.path.basename(path)}")


def sweep() -> None:
    """Empty and remove what killed processes of this user left. Never raises OSError."""
    with suppress(OSError):
        for name in os.listdir(_parent()):
            for kind in (_SECRETS, _NOTES):
                if name.startswith(_prefix(kind)):
                    _sweep_one(f"{_parent()}/{name}", kind)


def _new(kind: str) -> "WorkDirectory":
    from img.adapters.storage.work_directory import WorkDirectory

    return WorkDirectory.create(_parent(), prefix=_prefix(kind))


def _sweep_one(path: str, kind: str) -> None:
    from img.adapters.storage.work_directory import WorkDirectory

    with suppress(OSError):
        if (leftover := WorkDirectory.claim(path)) is not None:
            for name in os.listdir(path):
                with suppress(OSError):  # it is gone, or another user's
                    file = f"{path}/{name}"
                    # Links among secrets are what a step saw, and may be made by one.
                    _empty(os.readlink(file) if kind == _NOTES else file)
            leftover.remove()


def _empty(path: str) -> None:
    """Remove the file and its content, which other names of it may lead to."""
    found = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if stat.S_ISREG(os.fstat(found).st_mode):
            os.chmod(f"/proc/self/fd/{found}", 0o600)
            os.truncate(f"/proc/self/fd/{found}", 0)
            os.unlink(path)
    finally:
        os.close(found)


def _parent() -> str:
    if os.access(_MEMORY, os.W_OK):
        return _MEMORY
    import tempfile

    return tempfile.gettempdir()


def _prefix(kind: str) -> str:
    return f"img-{os.geteuid()}-{kind}-"
