"""Reading images from archives."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, Protocol

from img.application.ports.exporter import ArchivedImage
from img.domain.errors import ImgError
from img.domain.filesystem.entry import Entry

ReadMembers = Callable[[BinaryIO], Iterator[tuple[Entry, BinaryIO]]]
"""Yields the members of a tar archive (none, gzip, zstd, bzip2 or xz by magic) to its end.

The content of a member is valid until the next member is read. Names do not lead out of the root
of the archive; size and number of names and headers are limited. Raises InvalidLayer.
"""


class InvalidArchive(ImgError):
    """The bytes are not an archive of images, or the archive is damaged or incomplete."""

    exit_code = 5

    def __init__(self, problem: str, *, hint: str | None = None) -> None:
        super().__init__(f"cannot load images from the archive: {problem}", hint=hint)


class Importer(Protocol):
    """All known formats of archives."""

    @abstractmethod
    def read(self, archive: BinaryIO) -> Sequence[ArchivedImage]:
        """Store the blobs of all images in ``archive``, a stream, and return the images.

        On return every blob is verified and every image is complete. On an error some blobs may
        stay in the store without a reference. Raises InvalidArchive, BlobMismatch, StoreFull.
        """
