"""Writing images to archives and OCI layouts."""

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
"""Yields the decompressed chunks of a stream (none, gzip, zstd, bzip2 or xz by magic).

Adapters of archives take it as an argument; raises InvalidLayer.
"""


class ArchiveNotWritten(ImgError):
    """Writing the archive failed: a closed pipe, a full disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedImage:
    """A manifest or index in an archive, and its names there."""

    target: Descriptor
    references: tuple[ImageReference, ...] = ()
    # The ID: the digest of the config, or of the index for several platforms. None: not known.
    id: Digest | None = field(default=None, compare=False)
    subject: Digest | None = None  # the image that an artifact refers to; None for an image


class Exporter(Protocol):
    """A format of archives."""

    @abstractmethod
    def export(self, images: Sequence[ArchivedImage], output: BinaryIO) -> None:
        """Write ``images`` to ``output``, which may be a pipe and is not closed.

        Deterministic: the same images in the same order give the same bytes. A blob of several
        images is written once. Manifests of an index are left out if their blobs are not stored.
        Raises BlobNotFound, InvalidDocument, ArchiveNotWritten.
        """


class LayoutExporter(Protocol):
    """Directories of images that other programs can read."""

    @abstractmethod
    def export(self, images: Sequence[ArchivedImage], directory: str) -> None:
        """Add ``images`` to the OCI layout at ``directory``, which is created if missing.

        Other images in it stay; existing names are moved to the new images at the end. Raises
        BlobNotFound, BlobDamaged, InvalidDocument, OutputNotWritten.
        """
