"""Copying of blobs between registries and the store, without those that are there."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import field
from threading import Event
from typing import TYPE_CHECKING, BinaryIO

from img.application.ports.blob_origins import BlobOrigins
from img.application.ports.blob_store import (
    BlobDamaged,
    BlobMismatch,
    BlobNotFound,
    BlobStore,
)
from img.application.ports.index_store import IndexStore
from img.application.ports.layer_archive import LayerArchive
from img.application.ports.registry import Registry, RegistryError, Unauthorized
from img.application.threads import gather, threads
from img.application.transfer.damage import check_blob
from img.application.transfer.download import BlobSource, Download, Report, indexing
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import StateError
from img.domain.json_text import MOST_BYTES
from img.domain.oci.chain import Layer
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference

if TYPE_CHECKING:
    pass

_PARALLEL = 4  # layers at once, as in containerd and BuildKit
_MOST_MOUNTS = 3  # repositories that are tried as the source of one blob


def _silent(_blob: Descriptor, _current: int, _done: bool) -> None:
    """Ignore the progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Copies of blobs, verified on arrival; layers are indexed meanwhile."""

    blobs: BlobStore
    origins: BlobOrigins
    indexes: IndexStore
    archive: LayerArchive
    registry: Registry
    _begun: Event = field(default_factory=Event)

    @property
    def has_pulled(self) -> bool:
        """True once the transfer of a missing layer was started."""
        return self._begun.is_set()

    def pull_blob(self, reference: ImageReference, blob: Descriptor) -> bytes:
        """Return a small blob (a config) from the store, or from the registry after storing it.

        Raises RegistryError, BlobMismatch.
        """
        if self.blobs.size(blob.digest) is not None:
            with self.blobs.open(blob.digest) as content:
                return content.read(MOST_BYTES + 1)  # longer JSON is refused
        if blob.size > MOST_BYTES:
            raise RegistryError(
                f"{reference.familiar} has a config of more than {MOST_BYTES} bytes"
            )
        try:
            return self._fetched(reference, blob)
        except BlobMismatch:  # perhaps of a mirror, which is skipped the second time
            return self._fetched(reference, blob)

    def _fetched(self, reference: ImageReference, blob: Descriptor) -> bytes:
        with self.registry.open_blob(reference, blob) as stream:
            data = stream.read(blob.size + 1)
        self.store(data, blob)
        return data

    def pull_document(self, reference: ImageReference, document: Descriptor) -> bytes:
        """Return a manifest or index from the store, or from the registry after storing it.

        The content of a digest never changes, and registries count requests for manifests.
        Raises ManifestUnknown, RegistryError, BlobMismatch.
        """
        with suppress(BlobNotFound, BlobDamaged), self.blobs.open(document.digest) as content:
            return content.read(MOST_BYTES + 1)
        data = self.registry.manifest(reference, document)
        self.store(data, document)
        return data

    def store(self, data: bytes, expected: Descriptor) -> None:
        """Store bytes with the descriptor ``expected``. Raises BlobMismatch."""
        writer = self.blobs.writer()
        try:
            writer.write(data)
            writer.commit(expected.digest)
        finally:
            writer.abort()

    def pull_layers(
        self, reference: ImageReference, layers: Iterable[Layer], report: Report = _silent
    ) -> None:
        """Fetch the missing layers, several at a time.

        Raises RegistryError, BlobMismatch, InvalidLayer, StoreFull; layers that
        have arrived stay.
        """
        missing = {
            layer.descriptor.digest: layer
            for layer in layers
            if self.blobs.size(layer.descriptor.digest) != layer.descriptor.size
        }
        if not missing:
            return
        self._begun.set()
        with threads(min(_PARALLEL, len(missing)), "pull") as pool:
            gather(
                [
                    pool.submit(self._pull_layer, reference, layer, report)
                    for layer in missing.values()
                ]
            )

    def pull_blobs(
        self, reference: ImageReference, blobs: Iterable[Descriptor], report: Report = _silent
    ) -> None:
        """Fetch the missing blobs, of any kind, several at a time.

        Raises RegistryError, BlobMismatch, StoreFull.
        """
        missing = [blob for blob in blobs if self.blobs.size(blob.digest) != blob.size]
        source = BlobSource.of_registry(self.registry, reference)
        fetch = Download(blobs=self.blobs)
        with threads(_PARALLEL, "pull") as pool:
            gather([pool.submit(fetch, source, blob, _as_it_is, report) for blob in missing])

    def complete(self, blobs: Iterable[Descriptor]) -> None:
        """Fetch the blobs that the store lacks from the repositories that are known to have them.

        Raises BlobNotFound for a blob without such a repository, RegistryError, StoreFull.
        """
        for blob in blobs:
            if self.blobs.size(blob.digest) is None:
                self._fetch(None, blob, _silent)

    def push_blobs(
        self, reference: ImageReference, blobs: Iterable[Descriptor], report: Report = _silent
    ) -> None:
        """Upload the blobs that the repository lacks, several at a time.

        Blobs of another repository of the registry are mounted; blobs that are not stored are
        fetched first. The repository is recorded as their origin. Raises BlobNotFound, BlobDamaged,
        RegistryError.
        """
        wanted = list(blobs)
        with threads(_PARALLEL, "push") as pool:
            gather([pool.submit(self._push_blob, reference, blob, report) for blob in wanted])
        with suppress(StateError):  # full or read-only: without the record a later push sends more
            self.origins.add(reference.repository, [blob.digest for blob in wanted])

    def _pull_layer(self, reference: ImageReference, layer: Layer, report: Report) -> None:
        inspect = indexing(self.archive, self.indexes, layer, reference.familiar)
        source = BlobSource.of_registry(self.registry, reference)
        Download(blobs=self.blobs)(source, layer.descriptor, inspect, report)

    def _push_blob(self, reference: ImageReference, blob: Descriptor, report: Report) -> None:
        if not (
            self.registry.has_blob(reference, blob.digest) or self._is_mounted(reference, blob)
        ):
            size = self.blobs.size(blob.digest)
            if size is None:
                self._fetch(reference, blob, report)
            elif size != blob.size:
                raise BlobDamaged(blob.digest, size, blob.size)
            with self.blobs.open(blob.digest) as content:
                try:
                    self.registry.push_blob(reference, blob, content)
                except Unauthorized:
                    raise
                except RegistryError:
                    check_blob(self.blobs, blob.digest)  # a damaged blob is the likely reason
                    raise
        report(blob, blob.size, True)

    def _is_mounted(self, reference: ImageReference, blob: Descriptor) -> bool:
        sources = [
            source
            for source in self._origins_of(blob.digest)
            if source.domain == reference.domain and source.path != reference.path
        ]
        return any(
            self.registry.mount_blob(reference, blob, source) for source in sources[:_MOST_MOUNTS]
        )

    def _fetch(self, reference: ImageReference | None, blob: Descriptor, report: Report) -> None:
        """Fetch a blob that neither the store nor the repository ``reference`` has."""
        fetch = Download(blobs=self.blobs)
        failure: RegistryError | None = None
        for source in self._origins_of(blob.digest):
            if reference is not None and source.repository == reference.repository:
                continue
            try:
                return fetch(BlobSource.of_registry(self.registry, source), blob, _as_it_is, report)
            except RegistryError as error:
                failure = error
        raise failure or BlobNotFound(blob.digest)

    def _origins_of(self, digest: Digest) -> list[ImageReference]:
        return [
            ImageReference.parse(repository, default_tag=False)
            for repository in self.origins.repositories(digest)
        ]


def _as_it_is(_content: BinaryIO) -> Callable[[], None]:
    """Check nothing: the digest suffices."""
    return lambda: None
