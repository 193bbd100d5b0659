"""Files beside everything that img writes, which nothing may write, read, change or execute."""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

TOKEN = "token-of-the-markers-7f3a91"  # only the markers hold it: an output with it has read them

_PROGRAM = '#!/bin/sh\necho ran >>"$(dirname "$0")/ran"\n'
_LARGEST_READ = 1 << 20


class Markers:
    """A directory of files with all kinds of modes and owners, and what they looked like.

    ``names`` are the directories beside it that img may make and change.
    """

    def __init__(self, place: Path, names: Iterable[str] = ()) -> None:
        self.place = place
        self.path = place / "outside"
        self._allowed = {"outside", *names}
        self.path.mkdir()
        for name, mode in (("secret", 0o600), ("open", 0o666), ("set-id", 0o4755)):
            self._write(name, TOKEN, mode)
        self._write("program", _PROGRAM, 0o755)
        for name, mode in (("private", 0o700), ("public", 0o1777)):
            (self.path / name).mkdir()
            self._write(f"{name}/file", TOKEN, 0o640)
            (self.path / name).chmod(mode)
        (self.path / "link").symlink_to("secret")
        os.mkfifo(self.path / "pipe")
        if os.geteuid() == 0:
            self._make_a_device()
        self._wait_for_the_clock()
        self._before = self._seen()

    def _make_a_device(self) -> None:
        try:
            os.mknod(self.path / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
            os.chown(self.path / "private/file", 1234, 1234)
        except PermissionError:  # root of a user namespace
            return

    def _wait_for_the_clock(self) -> None:
        # The kernel's file times move on every few milliseconds: what is changed later must show.
        file = self.place / "clock"
        file.touch()
        first = file.stat().st_ctime_ns
        while file.stat().st_ctime_ns == first:
            file.touch()
        file.unlink()

    def allow(self, name: str) -> None:
        """Let img, or a test, make ``name`` beside the markers."""
        self._allowed.add(name)

    def changes(self) -> list[str]:
        """Return the changed markers: paths with the old and the new state."""
        now = self._seen()
        names = sorted({*self._before, *now})
        return [
            f"{name}: {self._before.get(name)} became {now.get(name)}"
            for name in names
            if self._before.get(name) != now.get(name)
        ] + [
            f"{self.place / name} was made"
            for name in sorted({*os.listdir(self.place)} - self._allowed)
        ]

    def _write(self, name: str, text: str, mode: int) -> None:
        path = self.path / name
        path.write_text(text)
        path.chmod(mode)

    def _seen(self) -> dict[str, tuple[int, ...]]:
        # ctime tells every change of content, mode, owner, links and extended attributes.
        found: dict[str, tuple[int, ...]] = {}
        for directory, folders, files in os.walk(self.path):
            for name in (".", *folders, *files):
                path = os.path.join(directory, name)
                seen = os.lstat(path)
                found[os.path.normpath(path)] = (
                    seen.st_mode,
                    seen.st_uid,
                    seen.st_gid,
                    seen.st_nlink,
                    seen.st_size,
                    seen.st_ino,
                    seen.st_ctime_ns,
                )
        return found


def make_readable(directory: Path) -> None:
    """Let an ordinary user read and remove all files below ``directory``, which archives made."""
    directory.chmod(0o700)
    for folder, folders, files in os.walk(directory):
        for name in folders:
            path = Path(folder, name)
            if not path.is_symlink():
                path.chmod(0o700)
        for name in files:
            path = Path(folder, name)
            if stat.S_ISREG(path.lstat().st_mode) and not os.access(path, os.R_OK):
                path.chmod(0o600)


def files_with_the_token(*directories: Path) -> Iterator[Path]:
    """Yield the small regular files below ``directories`` that hold what the markers hold."""
    for directory in directories:
        for folder, _, files in os.walk(directory):
            for name in files:
                path = Path(folder, name)
                seen = path.lstat()
                is_small = stat.S_ISREG(seen.st_mode) and seen.st_size <= _LARGEST_READ
                if is_small and TOKEN.encode() in path.read_bytes():
                    yield path
