"""The status of all files of a directory, so that a later walk shows the changes."""

import errno
import marshal
import os
import stat
from collections.abc import Iterable, Iterator

from img.adapters.snapshotter.attributes import PathTooLong

# The fields of lstat(2) that change with a file. ctime alone would do, as it cannot be set, except
# for clocks that step back. In order: mode, uid, gid, size (0 except for regular files), mtime_ns,
# ctime_ns, inode, device number.
FileStatus = tuple[int, int, int, int, int, int, int, int]
_SIZE, _CTIME, _INODE = 3, 5, 6
_BLOCK = 4096
_FORMAT = 1


class Walk:
    """Every path of a directory with its status; "" is the directory itself. No sockets."""

    def __init__(self, files: dict[str, FileStatus]) -> None:
        self.files = files

    @classmethod
    def of(cls, directory: str) -> "Walk":
        """Return the current status of the files of ``directory``. Raises PathTooLong."""
        files = {"": _status(os.lstat(directory))}
        try:
            _walk(directory, files)
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                raise PathTooLong(str(error.filename)[len(directory) + 1 :]) from None
            raise
        return cls(files)

    @classmethod
    def load(cls, path: str) -> "Walk | None":
        """Return the walk that ``store`` wrote to ``path``, None if it cannot be read."""
        try:
            with open(path, "rb") as file:
                version, files = marshal.load(file)
        except (OSError, ValueError, EOFError, TypeError):
            return None
        return cls(files) if version == _FORMAT else None

    def store(self, path: str) -> None:
        """Write the walk to ``path``, which no other process may use meanwhile."""
        with open(path, "wb") as file:
            marshal.dump((_FORMAT, self.files), file)

    @property
    def newest(self) -> int:
        """Return the latest ctime, in nanoseconds since 1970."""
        return max(status[_CTIME] for status in self.files.values())

    @property
    def room(self) -> int:
        """Return the approximate disk usage of the files in bytes."""
        return sum((_BLOCK + size + _BLOCK - 1) // _BLOCK * _BLOCK for size in self._sizes())

    def _sizes(self) -> Iterator[int]:
        return (status[_SIZE] for status in self.files.values())

    def differing(self, before: "Walk") -> list[str]:
        """Return the paths that are new or changed since ``before``."""
        then = before.files.get
        return [path for path, status in self.files.items() if then(path) != status]

    def inodes(self) -> Iterator[tuple[str, int]]:
        """Yield the path and the inode of all files but directories."""
        for path, status in self.files.items():
            if not stat.S_ISDIR(status[0]):
                yield path, status[_INODE]

    def refresh(self, directory: str, paths: Iterable[str]) -> None:
        """Read the status of ``paths`` again."""
        for path in paths:
            self.files[path] = _status(os.lstat(f"{directory}/{path}" if path else directory))


def _walk(directory: str, files: dict[str, FileStatus]) -> None:
    todo = [("", directory)]
    while todo:
        prefix, where = todo.pop()
        with os.scandir(where) as entries:
            for entry in entries:
                path = prefix + entry.name
                status = entry.stat(follow_symlinks=False)
                kind = stat.S_IFMT(status.st_mode)
                if kind == stat.S_IFSOCK:
                    continue
                files[path] = _status(status)
                if kind == stat.S_IFDIR:
                    todo.append((f"{path}/", entry.path))


def _status(status: os.stat_result) -> FileStatus:
    return (
        status.st_mode,
        status.st_uid,
        status.st_gid,
        status.st_size if stat.S_ISREG(status.st_mode) else 0,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_ino,
        status.st_rdev,
    )
