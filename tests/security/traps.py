"""Files that a hostile image puts where Python would look, and a watch over all of them.

inotify(7) reports each process of img that opens one.
"""

import ctypes
import os
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.host.machine import REPOSITORY

_IN_OPEN = 0x20
_COOKIE = "# -*- coding: img-trap -*-\n"
_PROGRAM = "import os\nos.close(os.open({marker!r}, os.O_CREAT | os.O_WRONLY))\n"
_EVENT = 16  # bytes of a struct inotify_event without its name
_libc = ctypes.CDLL(None, use_errno=True)

TRAPPED_MODULES = ("img_trap", "encodings/img_trap", "traceback", "linecache", "tokenize", "locale")


@dataclass(frozen=True, slots=True)
class Traps:
    """A watch over the traps in one root."""

    descriptor: int
    marker: Path

    def sprung(self) -> bool:
        """Tell whether anything of them was opened, or has run."""
        try:
            return bool(os.read(self.descriptor, 1 << 16)) or self.marker.exists()
        except BlockingIOError:
            return self.marker.exists()


@contextmanager
def traps_in(root: Path, marker: Path) -> Iterator[Traps]:
    """Lay traps in ``root``; one that runs makes the file ``marker``, if its root has that path."""
    watch = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    assert watch >= 0
    program = _PROGRAM.format(marker=str(marker))
    directories = {Path(path) for path in (*sys.path, sysconfig.get_path("stdlib")) if path}
    for directory in directories:
        for module in TRAPPED_MODULES:
            _lay(root, directory / f"{module}.py", program, watch)
    for package in ("adapters/executor", "adapters/linux", "domain", "tests/security"):
        for source in (REPOSITORY / package).glob("*.py"):
            for place in (source, REPOSITORY / "img" / package / source.name):
                _lay(root, place, _COOKIE + program, watch)
    for name in ("usr/share/zoneinfo/Etc/Trap", "usr/lib/libimgtrap.so", "lib/libimgtrap.so"):
        _lay(root, Path("/", name), program, watch)
    try:
        yield Traps(watch, marker)
    finally:
        os.close(watch)


def _lay(root: Path, path: Path, text: str, watch: int) -> None:
    file = root / path.relative_to("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    assert _libc.inotify_add_watch(watch, os.fsencode(file), _IN_OPEN) >= 0
