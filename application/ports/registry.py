"""Images in registries, and lists of what registries hold."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import BinaryIO, Protocol

from img.application.ports.credential_store import Credentials
from img.domain.digest import Digest
from img.domain.errors import RemoteError
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference


class RegistryError(RemoteError):
    """A request to a registry failed; ``retryable`` if a retry may succeed."""

    def __init__(self, message: str, *, hint: str | None = None, retryable: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.retryable = retryable


class ManifestUnknown(RegistryError):
    """The registry has no such image."""


class RegistryUnreachable(RegistryError):
    """Connections to the registry fail or break."""


class Unauthorized(RegistryError):
    """The registry requires credentials, or other ones."""


class Registry(Protocol):
    """All registries, by the domain of a reference; several threads may use them.

    Temporary failures are retried before an error is raised.
    """

    @abstractmethod
    def resolve(self, reference: ImageReference) -> Descriptor:
        """Return the descriptor of the manifest or index with that name.

        Raises ManifestUnknown, Unauthorized, RegistryError.
        """

    @abstractmethod
    def manifest(self, reference: ImageReference, target: Descriptor) -> bytes:
        """Return the bytes of a manifest or index, verified against ``target``.

        Raises ManifestUnknown, Unauthorized, RegistryError, BlobMismatch.
        """

    @abstractmethod
    def open_blob(self, reference: ImageReference, blob: Descriptor, offset: int = 0) -> BinaryIO:
        """Return a stream of the blob from ``offset``, which is less than its size.

        The caller closes the stream and verifies the blob.

        Reading raises RegistryError if the connection breaks and retries fail.
        """

    @abstractmethod
    def has_blob(self, reference: ImageReference, digest: Digest) -> bool:
        """Return whether the repository has the blob. Raises Unauthorized, RegistryError."""

    @abstractmethod
    def mount_blob(
        self, reference: ImageReference, blob: Descriptor, source: ImageReference
    ) -> bool:
        """Mount a blob of the repository of ``source``; return whether the registry did it.

        Registries may refuse without a reason (distribution-spec, "Mounting a blob from another
        repository"). Raises Unauthorized, RegistryError.
        """

    @abstractmethod
    def push_blob(self, reference: ImageReference, blob: Descriptor, content: BinaryIO) -> None:
        """Upload the blob; ``content`` is seekable and is not closed.

        The kernel may send the file directly; then only the registry verifies the digest
        (distribution-spec, error code DIGEST_INVALID). Raises Unauthorized, RegistryError.
        """

    @abstractmethod
    def push_manifest(self, reference: ImageReference, content: bytes, media_type: str) -> Digest:
        """Store a manifest or index under the reference's tag (or its digest); return its digest.

        The blobs and manifests in it must be pushed before (distribution-spec, "Pushing
        Manifests"). Raises Unauthorized, RegistryError.
        """

    @abstractmethod
    def check_login(self, server: str, credentials: Credentials) -> None:
        """Check that ``server`` accepts ``credentials``. Raises Unauthorized, RegistryError."""


class RegistryContents(Protocol):
    """Lists of a registry's contents, fetched page by page as they are read, and deletion.

    All methods raise Unauthorized and RegistryError; lists raise them while they are read.
    """

    @abstractmethod
    def tags(self, repository: ImageReference) -> Iterator[str]:
        """Yield the tags, in the registry's order. Raises ManifestUnknown for no repository."""

    @abstractmethod
    def repositories(self, server: str) -> Iterator[str]:
        """Yield the repositories of a registry that the user may see, if it lists them at all."""

    @abstractmethod
    def referrers(
        self, repository: ImageReference, subject: Digest, artifact_type: str = ""
    ) -> Iterator[Descriptor]:
        """Yield the manifests that refer to ``subject``, of ``artifact_type`` if that is given."""

    @abstractmethod
    def delete(self, reference: ImageReference) -> None:
        """Take out a tag, or the image of a digest with all its tags. Raises ManifestUnknown.

        A registry may refuse the one or the other.
        """
