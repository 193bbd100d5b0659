"""OCI image layouts of other programs, read and written (image-spec image-layout.md)."""

from abc import abstractmethod
from collections.abc import Collection, Sequence
from typing import BinaryIO, Protocol

from img.domain.digest import Digest
from img.domain.errors import NotFoundError
from img.domain.oci.descriptor import Descriptor


class LayoutError(NotFoundError):
    """A layout is unreadable, or does not have the image."""


class ImageLayouts(Protocol):
    """Layouts by the path of their directory, for reading; several threads may use them."""

    @abstractmethod
    def find(self, path: str, tag: str, digest: Digest | None) -> Sequence[Descriptor]:
        """Return the manifest or index with ``digest``, else with ``tag``, else the only one.

        Several results are the platforms of one image. Raises LayoutError if there is none.
        """

    @abstractmethod
    def entries(self, path: str) -> Sequence[Descriptor]:
        """Return all entries of ``index.json``, in its order. Raises LayoutError."""

    @abstractmethod
    def open(self, path: str, blob: Descriptor) -> BinaryIO:
        """Return the blob for reading; the caller closes it and verifies it. Raises LayoutError."""


class LayoutWriter(Protocol):
    """Layouts by the path of their directory, for writing; a missing one is created."""

    @abstractmethod
    def add(self, path: str, blob: Descriptor, content: BinaryIO) -> None:
        """Add the blob to the layout unless it is there with its size. Atomic.

        Raises BlobMismatch, OutputNotWritten.
        """

    @abstractmethod
    def name(
        self, path: str, tag: str, manifest: Descriptor, *, only: Collection[Digest] | None = None
    ) -> None:
        """Make ``tag`` the name of the manifest. Atomic.

        With ``only``, delete all other names, and all blobs except these. Raises OutputNotWritten.
        """

    @abstractmethod
    def add_unnamed(self, path: str, manifests: Sequence[Descriptor]) -> None:
        """List the manifests without a name, unless they are listed already. Atomic.

        Readers find artifacts that refer to an image in this way. Raises OutputNotWritten.
        """
