"""Blobs that are verified while they are read."""

import io
import os
from typing import TYPE_CHECKING, BinaryIO

from img.adapters.linux.regular_files import open_regular
from img.application.ports.blob_store import BlobDamaged
from img.domain.digest import Digest

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_BUFFER = 256 << 10


class CheckedFile(io.FileIO):
    """A file that is hashed while it is read, and withholds its last bytes if the digest differs.

    Reading only a part, or from the middle, is not verified.
    """

    def __init__(self, path: str, digest: Digest) -> None:
        self._digest = digest
        self._hash = digest.new_hash()
        super().__init__(open_regular(path), "rb")
        self._size = os.fstat(self.fileno()).st_size
        self._hashed = 0
        self._position = 0

    def readinto(self, buffer: "WriteableBuffer") -> int:
        count = super().readinto(buffer) or 0
        self._take(memoryview(buffer).cast("B")[:count])
        return count

    def readall(self) -> bytes:
        data = super().readall()
        self._take(memoryview(data))
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._position = super().seek(offset, whence)
        return self._position

    def _take(self, data: memoryview) -> None:
        start, self._position = self._position, self._position + len(data)
        if start <= self._hashed <= self._position:
            fresh = data[self._hashed - start :]
            self._hash.update(fresh)
            self._hashed += len(fresh)
            if self._hashed == self._size and self._hash.hexdigest() != self._digest.encoded:
                raise BlobDamaged(self._digest)


def checked_file(path: str, digest: Digest) -> BinaryIO:
    """Return the blob at ``path``; reading it to its end raises BlobDamaged. Raises OSError."""
    return io.BufferedReader(CheckedFile(path, digest), _BUFFER)
