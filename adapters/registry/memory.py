"""A registry in dicts, for tests."""

import io
import json
import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, BinaryIO

from img.application.ports.blob_store import BlobMismatch
from img.application.ports.credential_store import Credentials
from img.application.ports.registry import (
    ManifestUnknown,
    Registry,
    RegistryContents,
    RegistryError,
    Unauthorized,
)
from img.domain.digest import Digest
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class MemoryRegistry(Registry, RegistryContents):
    """A simulator of all registries: no network, no waiting, every fault on request.

    It keeps pushed content by repository, as registries do; ``holding`` are blobs that every
    repository has from the start. Tests read its history in ``received``, ``mounted``, ``fetched``
    and ``names``, and cause faults with ``corrupt``, ``cut``, ``lose`` and ``admit``.
    """

    def __init__(self, holding: Iterable[bytes] = ()) -> None:
        self._everywhere = {Digest.of(content): content for content in holding}
        self._blobs: dict[tuple[str, Digest], bytes] = {}
        self._manifests: dict[tuple[str, Digest], tuple[bytes, str]] = {}
        self._tags: dict[tuple[str, str], Digest] = {}
        self._logins: dict[str, Credentials] = {}
        self._corrupt: set[Digest] = set()
        self._cuts: dict[Digest, tuple[int, str]] = {}
        self._lost: set[str] = set()
        self._lock = threading.Lock()
        self.received: list[bytes] = []  # uploaded blobs, in order
        self.mounted: list[Digest] = []  # blobs mounted from another repository, in order
        self.fetched: list[Digest] = []  # requested blobs and manifests, in order
        self.names: set[ImageReference] = set()  # names of pushed manifests

    def resolve(self, reference: ImageReference) -> Descriptor:
        with self._lock:
            content, media_type = self._manifest_of(reference)
        return Descriptor(media_type=media_type, digest=Digest.of(content), size=len(content))

    def manifest(self, reference: ImageReference, target: Descriptor) -> bytes:
        with self._lock:
            content, _ = self._manifest_of(reference.with_digest(target.digest))
            self.fetched.append(target.digest)
            content = self._as_served(target.digest, content)
        if Digest.of(content) != target.digest:
            raise BlobMismatch(target.digest, Digest.of(content))
        return content

    def open_blob(self, reference: ImageReference, blob: Descriptor, offset: int = 0) -> BinaryIO:
        with self._lock:
            self._answer(reference)
            content = self._blob_of(reference, blob.digest)
            if content is None:
                raise RegistryError(f"{reference.repository} has no blob {blob.digest}")
            self.fetched.append(blob.digest)
            content = self._as_served(blob.digest, content)
            cut, where = self._cuts.get(blob.digest, (None, ""))
        if cut is None or where not in ("", reference.domain):
            return io.BytesIO(content[offset:])
        return io.BufferedReader(_CutStream(content[offset:cut], reference.domain), buffer_size=1)

    def has_blob(self, reference: ImageReference, digest: Digest) -> bool:
        with self._lock:
            self._answer(reference)
            return self._blob_of(reference, digest) is not None

    def mount_blob(
        self, reference: ImageReference, blob: Descriptor, source: ImageReference
    ) -> bool:
        with self._lock:
            self._answer(reference)
            content = self._blob_of(source, blob.digest)
            if content is None or source.domain != reference.domain:
                return False
            self._blobs[reference.repository, blob.digest] = content
            self.mounted.append(blob.digest)
            return True

    def push_blob(self, reference: ImageReference, blob: Descriptor, content: BinaryIO) -> None:
        content.seek(0)
        data = content.read()
        if Digest.of(data) != blob.digest:
            raise RegistryError(f"push of {reference.familiar}: digest invalid: {blob.digest}")
        with self._lock:
            self._answer(reference)
            if self._blob_of(reference, blob.digest) is None:
                self._blobs[reference.repository, blob.digest] = data
                self.received.append(data)

    def push_manifest(self, reference: ImageReference, content: bytes, media_type: str) -> Digest:
        digest = Digest.of(content)
        if reference.digest not in (None, digest):
            raise BlobMismatch(reference.digest, digest)
        with self._lock:
            self._answer(reference)
            self._manifests[reference.repository, digest] = (content, media_type)
            if reference.tag and reference.digest is None:
                self._tags[reference.repository, reference.tag] = digest
            self.names.add(reference)
        return digest

    def check_login(self, server: str, credentials: Credentials) -> None:
        wanted = self._logins.get(server)
        if wanted is not None and wanted != credentials:
            raise Unauthorized(
                f"registry {server} refuses the user name or password",
                hint="check the user name, and the password or token",
            )

    def tags(self, repository: ImageReference) -> Iterator[str]:
        name = repository.repository
        found = sorted(tag for place, tag in self._tags if place == name)
        if not any(place == name for place, _ in self._manifests):
            raise ManifestUnknown(f"{name}: not found")
        yield from found

    def repositories(self, server: str) -> Iterator[str]:
        names = sorted({place for place, _ in self._manifests})
        yield from (n.removeprefix(f"{server}/") for n in names if n.startswith(f"{server}/"))

    def referrers(
        self, repository: ImageReference, subject: Digest, artifact_type: str = ""
    ) -> Iterator[Descriptor]:
        for (place, digest), (content, media_type) in list(self._manifests.items()):
            document = json.loads(content)
            if place != repository.repository or _subject_of(document) != str(subject):
                continue
            found = Descriptor(
                media_type=media_type,
                digest=digest,
                size=len(content),
                annotations=document.get("annotations", {}),
                artifact_type=document.get("artifactType") or document["config"]["mediaType"],
            )
            if artifact_type in ("", found.artifact_type):
                yield found

    def delete(self, reference: ImageReference) -> None:
        with self._lock:
            self._manifest_of(reference)
            place = reference.repository
            if reference.digest is None:
                del self._tags[place, reference.tag]
                return
            del self._manifests[place, reference.digest]
            tags = [key for key, value in self._tags.items() if value == reference.digest]
            for key in tags:
                if key[0] == place:
                    del self._tags[key]

    def add_blob(self, reference: ImageReference, content: bytes) -> Digest:
        """Store ``content`` in the repository, as if another client had pushed it."""
        digest = Digest.of(content)
        self._blobs[reference.repository, digest] = content
        return digest

    def corrupt(self, digest: Digest) -> None:
        """Serve other bytes for ``digest`` from now on."""
        self._corrupt.add(digest)

    def forget(self, digest: Digest) -> None:
        """Delete the blob everywhere, as registries do with unreferenced blobs."""
        self._everywhere.pop(digest, None)
        self._blobs = {key: blob for key, blob in self._blobs.items() if key[1] != digest}

    def cut(self, digest: Digest, after: int, domain: str = "") -> None:
        """Break the connection after so many bytes of the blob, each time; at one domain or all."""
        self._cuts[digest] = (after, domain)

    def lose(self, domain: str) -> None:
        """Make the registry of ``domain`` unreachable."""
        self._lost.add(domain)

    def find(self, domain: str) -> None:
        """Make the registry of ``domain`` reachable again."""
        self._lost.discard(domain)

    def admit(self, server: str, credentials: Credentials) -> None:
        """Accept only ``credentials`` at a login to ``server``."""
        self._logins[server] = credentials

    def _answer(self, reference: ImageReference) -> None:
        if reference.domain in self._lost:
            raise RegistryError(
                f"registry {reference.domain} cannot be reached: connection refused", retryable=True
            )

    def _manifest_of(self, reference: ImageReference) -> tuple[bytes, str]:
        self._answer(reference)
        repository = reference.repository
        digest = reference.digest or self._tags.get((repository, reference.tag or "latest"))
        found = None if digest is None else self._manifests.get((repository, digest))
        if found is None:
            raise ManifestUnknown(f"{reference}: not found")
        return found

    def _blob_of(self, reference: ImageReference, digest: Digest) -> bytes | None:
        return self._blobs.get((reference.repository, digest), self._everywhere.get(digest))

    def _as_served(self, digest: Digest, content: bytes) -> bytes:
        """Return ``content``, altered in its first byte if it is marked as corrupt."""
        if digest not in self._corrupt:
            return content
        return bytes([content[0] ^ 1]) + content[1:] if content else b"\0"


def _subject_of(document: object) -> str:
    subject = document.get("subject") if isinstance(document, dict) else None
    return str(subject.get("digest", "")) if isinstance(subject, dict) else ""


class _CutStream(io.RawIOBase):
    """A stream that ends with a lost connection."""

    def __init__(self, content: bytes, host: str) -> None:
        self._content = io.BytesIO(content)
        self._host = host

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        count = self._content.readinto(buffer)
        if count == 0 and memoryview(buffer).nbytes:
            raise RegistryError(f"registry {self._host} broke the connection", retryable=True)
        return count
