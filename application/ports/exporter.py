"""Images as archives."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from typing import BinaryIO, Protocol

from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import ImgError
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference

Decompress = Callable[[BinaryIO], Iterator[bytes]]
"""Yields what is in a stream (none, gzip, zstd, bzip2 or xz by magic) in chunks, to its end.

Adapters of archives take it as an argument; raises InvalidLayer.
"""


class ArchiveNotWritten(ImgError):
    """The output does not take the archive: a closed pipe, a full disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedImage:
    """A manifest or index in an archive, and the names it has there, if any."""

    target: Descriptor
    references: tuple[ImageReference, ...] = ()
    # The ID: the digest of the config, or of the index for several platforms. None: not known.
    id: Digest | None = field(default=None, compare=False)


class Exporter(Protocol):
    """Writes images into one archive of its format."""

    @abstractmethod
    def export(self, images: Sequence[ArchivedImage], output: BinaryIO) -> None:
        """Write ``images`` to ``output``, which may be a pipe and stays open.

        The same images in the same order give the same bytes. What several images share is written
        once. Of an index those manifests are written that are stored here whole.
        Raises BlobNotFound, InvalidDocument, ArchiveNotWritten.
        """


class LayoutExporter(Protocol):
    """Writes images into a directory that other programs read as well."""

    @abstractmethod
    def export(self, images: Sequence[ArchivedImage], directory: str) -> None:
        """Add ``images`` to the OCI layout at ``directory``, which is made if there is none.

        Images that are there stay; names that are taken come to stand for the new ones, last of
        all. Raises BlobNotFound, BlobDamaged, InvalidDocument, OutputNotWritten.
        """
