"""Directories in memory with secrets of steps, or with paths of secrets; emptied after a crash.

An executor without mounts has to give the secrets of a step a path. Its process holds a lock on
such a directory as long as it lives: a directory without a lock was left by a killed process.
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
    """Return a new empty directory that only this user may enter. Raises OSError."""
    return _new(_SECRETS)


def new_notes() -> "WorkDirectory":
    """Return a new directory for ``remember``, which steps cannot write to. Raises OSError."""
    return _new(_NOTES)


def remember(directory: str, path: str) -> None:
    """Record in ``directory``, from ``new_notes``, that a secret will be at the absolute ``path``.

    The file may get other names later, so cleaning up also empties it. No other user may be able to
    change the directories of ``path``.
    """
    os.symlink(path, f"{directory}/{os.path.basename(path)}")


def sweep() -> None:
    """Empty and delete what killed processes of this user left. Never raises OSError."""
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
                with suppress(OSError):  # it is gone, or belongs to another user
                    file = f"{path}/{name}"
                    # Links among the secrets are visible to steps, and steps may have made them.
                    _empty(os.readlink(file) if kind == _NOTES else file)
            leftover.remove()


def _empty(path: str) -> None:
    """Empty and delete the file, which may have other names."""
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
