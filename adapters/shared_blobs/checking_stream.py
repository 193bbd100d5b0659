"""Content that is verified while it is read."""

import io
from typing import TYPE_CHECKING, BinaryIO

from img.application.ports.blob_store import BlobMismatch
from img.domain.digest import Digest
from img.domain.oci.descriptor import Descriptor

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class CheckingStream(io.RawIOBase):
    """The bytes of a blob; instead of the end of other bytes, reading raises BlobMismatch.

    Closing it leaves ``content`` open.
    """

    def __init__(self, blob: Descriptor, content: BinaryIO) -> None:
        self._blob = blob
        self._content = content
        self._hash = blob.digest.new_hash()
        self._size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        data = self._content.read(len(view))
        if not data:
            self._check()
        self._hash.update(data)
        self._size += len(data)
        if self._size > self._blob.size:
            self._check()
        view[: len(data)] = data
        return len(data)

    def _check(self) -> None:
        found = Digest(self._blob.digest.algorithm, self._hash.hexdigest())
        if found != self._blob.digest or self._size != self._blob.size:
            raise BlobMismatch(self._blob.digest, found)
