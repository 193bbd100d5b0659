"""Room that is kept, so that a full disk can be cleaned up."""

import contextlib
import os

_SIZE = 1 << 20
_PLENTY = 2 * _SIZE  # less than that is not ours to keep


class Reserve:
    """A file in ``directory`` that is given up where deleting needs room: a log, a new index."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._path = os.path.join(directory, "reserve")

    def fill(self) -> None:
        """Make the file unless it is there; it need not be where the disk is nearly full."""
        with contextlib.suppress(OSError):
            if os.path.exists(self._path):
                return
            os.makedirs(self._directory, exist_ok=True)
            if self._free() < _PLENTY:
                return
            draft = f"{self._path}.{os.getpid()}"
            try:
                with open(draft, "wb") as file:
                    file.write(os.urandom(_SIZE))  # zeros take no room where files are compressed
                os.rename(draft, self._path)
            except OSError:
                os.unlink(draft)

    @property
    def needed(self) -> bool:
        """Tell whether there is hardly any other room."""
        with contextlib.suppress(OSError):
            return self._free() < _SIZE
        return False

    def spend(self) -> None:
        """Give the room back if there is hardly any other."""
        if self.needed:
            with contextlib.suppress(OSError):
                os.unlink(self._path)

    def _free(self) -> int:
        facts = os.statvfs(self._directory)
        return facts.f_bavail * facts.f_frsize
