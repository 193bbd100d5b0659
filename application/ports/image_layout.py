"""OCI image layouts of other programs, read and written (image-spec image-layout.md)."""

from abc import abstractmethod
from collections.abc import Collection, Sequence
from typing import BinaryIO, Protocol

from img.domain.digest import Digest
from img.domain.errors import NotFoundError
from img.domain.oci.descriptor import Descriptor


class LayoutError(NotFoundError):
    """A layout that cannot be read, or has not what is wanted."""


class ImageLayouts(Protocol):
    """Layouts by the path of their directory; read only."""

    @abstractmethod
    def find(self, path: str, tag: str, digest: Digest | None) -> Sequence[Descriptor]:
        """Return the manifest or index of that digest, else of that tag, else the only one.

        Several are platforms of one image. Raises LayoutError where there is none.
        """

    @abstractmethod
    def open(self, path: str, blob: Descriptor) -> BinaryIO:
        """Return the blob for reading; the caller closes it and verifies it. Raises LayoutError."""


class LayoutWriter(Protocol):
    """Layouts by the path of their directory; one that is not there is made."""

    @abstractmethod
    def add(self, path: str, blob: Descriptor, content: BinaryIO) -> None:
        """Have the blob in the layout; one that is there, in its size, is not written again.

        Raises BlobMismatch, OutputNotWritten.
        """

    @abstractmethod
    def name(
        self, path: str, tag: str, manifest: Descriptor, *, only: Collection[Digest] | None = None
    ) -> None:
        """Let ``tag`` stand for the manifest. Atomic.

        With ``only`` all other names go, and all blobs but these. Raises OutputNotWritten.
        """
