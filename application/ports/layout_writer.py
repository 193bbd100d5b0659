"""OCI image layouts that img writes for others (image-spec image-layout.md)."""

from abc import abstractmethod
from collections.abc import Collection
from typing import BinaryIO, Protocol

from img.domain.digest import Digest
from img.domain.oci.descriptor import Descriptor


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
