"""The tar file of an archive of images."""

import tarfile
from collections.abc import Iterable
from typing import BinaryIO

from img.application.ports.exporter import ArchiveNotWritten

_BLOCK = tarfile.BLOCKSIZE
_RECORD = tarfile.RECORDSIZE


class ArchiveFile:
    """A tar file without times and owners, so that equal contents give equal bytes.

    All methods raise ArchiveNotWritten.
    """

    def __init__(self, output: BinaryIO) -> None:
        self._output = output
        self._written = 0

    def add_directory(self, name: str) -> None:
        """Append a directory."""
        header = tarfile.TarInfo(name)
        header.type = tarfile.DIRTYPE
        header.mode = 0o755
        self._write(header.tobuf(tarfile.GNU_FORMAT))

    def add(self, name: str, size: int, content: Iterable[bytes]) -> None:
        """Append a file with the content ``content``, ``size`` bytes long."""
        header = tarfile.TarInfo(name)
        header.size = size
        header.mode = 0o644
        self._write(header.tobuf(tarfile.GNU_FORMAT))  # GNU's format supports sizes above 8 GiB
        end = self._written + size
        for chunk in content:
            self._write(chunk)
        if self._written != end:
            raise ArchiveNotWritten(f"{name} changed its size while it was written")
        self._pad(_BLOCK)

    def finish(self) -> None:
        """Append the end of the archive."""
        self._write(bytes(2 * _BLOCK))
        self._pad(_RECORD)
        try:
            self._output.flush()
        except OSError as error:
            raise _not_written(error) from error

    def _pad(self, unit: int) -> None:
        self._write(bytes(-self._written % unit))

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        try:
            while left:  # an unbuffered output may accept only a part
                left = left[self._output.write(left) :]
        except OSError as error:
            raise _not_written(error) from error
        self._written += len(data)


def _not_written(error: OSError) -> ArchiveNotWritten:
    return ArchiveNotWritten(f"cannot write the archive: {error.strerror or error}")
