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
    """A registry could not be reached, or refused; ``retryable`` when another try may help."""

    def __init__(self, message: str, *, hint: str | None = None, retryable: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.retryable = retryable


class ManifestUnknown(RegistryError):
    """The registry has no such image."""


class RegistryUnreachable(RegistryError):
    """There is no connection to the registry, or none that lasts."""


class Unauthorized(RegistryError):
    """The registry wants other credentials, or any."""


class Registry(Protocol):
    """All registries, each reached by the domain of the reference; used by several threads.

    What fails for a passing reason was tried again already when an error comes out.
    """

    @abstractmethod
    def resolve(self, reference: ImageReference) -> Descriptor:
        """Return what the name stands for: media type, digest, size of a manifest or index.

        Raises ManifestUnknown, Unauthorized, RegistryError.
        """

    @abstractmethod
    def manifest(self, reference: ImageReference, target: Descriptor) -> bytes:
        """Return the bytes of a manifest or index, verified against ``target``.

        Raises ManifestUnknown, Unauthorized, RegistryError, BlobMismatch.
        """

    @abstractmethod
    def open_blob(self, reference: ImageReference, blob: Descriptor, offset: int = 0) -> BinaryIO:
        """Return a stream of the blob from ``offset`` on, a byte that it has.

        The caller closes it, and verifies the blob when it has all of it.

        Reading raises RegistryError when the connection is lost for good.
        """

    @abstractmethod
    def has_blob(self, reference: ImageReference, digest: Digest) -> bool:
        """Tell whether the repository holds the blob."""

    @abstractmethod
    def mount_blob(
        self, reference: ImageReference, blob: Descriptor, source: ImageReference
    ) -> bool:
        """Let the repository have a blob of another one of its registry; tell whether it does.

        Of ``source`` the repository counts. Registries need not do it, nor say why
        (distribution-spec, "Mounting a blob from another repository").
        """

    @abstractmethod
    def push_blob(self, reference: ImageReference, blob: Descriptor, content: BinaryIO) -> None:
        """Upload the blob; ``content`` is seekable and stays open.

        It may be sent unread, as the kernel does it: that it is what the digest says is then for
        the registry to find out (distribution-spec, error code DIGEST_INVALID).
        """

    @abstractmethod
    def push_manifest(self, reference: ImageReference, content: bytes, media_type: str) -> Digest:
        """Store a manifest or index under the reference's tag (or its digest); return its digest.

        All it names must be there already (distribution-spec, "Pushing Manifests").
        """

    @abstractmethod
    def check_login(self, server: str, credentials: Credentials) -> None:
        """Make sure that ``server`` takes ``credentials``. Raises Unauthorized, RegistryError."""


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
