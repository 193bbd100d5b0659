"""Images out of archives."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, Protocol

from img.application.ports.exporter import ArchivedImage
from img.domain.errors import ImgError
from img.domain.filesystem.entry import Entry

ReadMembers = Callable[[BinaryIO], Iterator[tuple[Entry, BinaryIO]]]
"""Yields what is in a tar archive (none, gzip, zstd, bzip2 or xz by magic), to its very end.

Each member's content is stale once the next is asked for. Names lead nowhere above the archive's
root; they and the headers have a largest size and number. Raises InvalidLayer.
"""


class InvalidArchive(ImgError):
    """Bytes that are no archive of images, or one that is damaged or incomplete."""

    exit_code = 5

    def __init__(self, problem: str, *, hint: str | None = None) -> None:
        super().__init__(f"cannot load images from the archive: {problem}", hint=hint)


class Importer(Protocol):
    """Reads images out of archives, whatever their format."""

    @abstractmethod
    def read(self, archive: BinaryIO) -> Sequence[ArchivedImage]:
        """Store the blobs of all images in ``archive``, a stream, and return the images.

        Every blob is verified, and every image whole, when this returns. On an error some blobs
        may be stored to which nothing refers. Raises InvalidArchive, BlobMismatch, StoreFull.
        """
