"""Disk usage of the state directory."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from img.adapters.storage.own_files import is_locked
from img.adapters.storage.work_directory import WorkDirectory, bytes_below, remove_tree
from img.application.ports.state_space import Leftover, StateSpace

_TEMP_DIRS = ("tmp", "layout/.img-tmp")
_INCOMING = ("incoming", "layout/.img-tmp/incoming")
_PART = "part of a download"
_KEPT = {"incoming", "reserve"}


class FileStateSpace(StateSpace):
    """Finds temporary files, parts of downloads, workspaces without a process, and old snapshots.

    Old snapshots are those of earlier boots of the machine, except for ``snapshots`` and those in
    ``other``, with other ids, which are in use.
    """

    def __init__(self, state: Path, snapshots: Path, other: Sequence[Path] = ()) -> None:
        self._state = os.fspath(state)
        self._snapshots = [os.fspath(each) for each in (snapshots, *other)]

    def total(self) -> int:
        return bytes_below(self._state)

    def free(self) -> int:
        facts = os.statvfs(self._existing())
        return facts.f_bavail * facts.f_frsize

    def capacity(self) -> int:
        facts = os.statvfs(self._existing())
        return facts.f_blocks * facts.f_frsize

    def leftovers(self, *, before: float | None) -> Sequence[Leftover]:
        found = []
        for path, description in self._candidates():
            with contextlib.suppress(FileNotFoundError):
                status = os.lstat(path)
                if before is None or status.st_mtime < before:
                    size = bytes_below(path) if os.path.isdir(path) else status.st_blocks * 512
                    found.append(
                        Leftover(
                            id=os.path.relpath(path, self._state),
                            size=size,
                            changed=status.st_mtime,
                            description=description,
                            resumable=description == _PART,
                        )
                    )
        return found

    def remove(self, leftover: Leftover) -> None:
        path = f"{self._state}/{leftover.id}"
        if os.path.islink(path) or not os.path.isdir(path):
            _unlink_unlocked(path)
        elif os.path.basename(os.path.dirname(path)) == "work":
            if (claimed := WorkDirectory.claim(path)) is not None:
                claimed.remove()
        else:
            remove_tree(path)

    def _candidates(self) -> Iterator[tuple[str, str]]:
        for temp_dir in (f"{self._state}/{name}" for name in _TEMP_DIRS):
            for path in _listed(temp_dir):
                if os.path.basename(path) not in _KEPT:
                    yield path, "left by a process that was killed"
        for folder in (f"{self._state}/{name}" for name in _INCOMING):
            for path in _listed(folder):
                if not is_locked(path):
                    yield path, _PART
        for snapshots in self._snapshots:
            for path in _listed(os.path.dirname(snapshots)):
                if path != snapshots:
                    yield path, "unpacked layers of before the machine was started"
            for kind in _listed(snapshots):
                for path in _listed(f"{kind}/work"):
                    if not is_locked(path):
                        yield path, "workspace of a process that was killed"

    def _existing(self) -> str:
        path = os.path.abspath(self._state)
        while not os.path.isdir(path):
            path = os.path.dirname(path)
        return path


def _listed(directory: str) -> list[str]:
    try:
        return [f"{directory}/{name}" for name in sorted(os.listdir(directory))]
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []


def _unlink_unlocked(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        if not is_locked(path):
            os.unlink(path)
