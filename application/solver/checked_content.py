"""Contents with a known digest, verified while they are read."""

import hashlib
from collections.abc import Callable
from types import TracebackType
from typing import BinaryIO, Self, cast

from img.application.ports.build_context import ContextFileChanged
from img.domain.filesystem.entry import Entry


class _CheckedContent:
    """A file that raises ContextFileChanged at its end if its digest is not that of ``entry``."""

    def __init__(self, content: BinaryIO, entry: Entry) -> None:
        self._content = content
        self._entry = entry
        self._read = hashlib.sha256()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def read(self, size: int = -1) -> bytes:
        data = self._content.read(size)
        self._read.update(data)
        ended = size < 0 or (size and not data)
        if ended and self._read.hexdigest() != self._entry.digest:
            raise ContextFileChanged(self._entry.path)
        return data

    def close(self) -> None:
        self._content.close()


def open_checked(open_file: Callable[[], BinaryIO], entry: Entry) -> BinaryIO:
    """Return the content of ``entry``, which is checked while it is read to its end."""
    return cast(BinaryIO, _CheckedContent(open_file(), entry))
