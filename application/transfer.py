"""Copying images between a registry and the store, skipping what is there."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO

from img.application.ports.blob_origins import BlobOrigins
from img.application.ports.blob_store import BlobDamaged, BlobStore, BlobWriter
from img.application.ports.index_store import IndexStore
from img.application.ports.layer_archive import InvalidLayer, LayerArchive
from img.application.ports.registry import Registry, RegistryError
from img.domain.dataclass import dataclass
from img.domain.oci.chain import Layer
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference

_PARALLEL = 4  # layers at once, as containerd and BuildKit have it
_CHUNK = 1 << 20

Report = Callable[[Descriptor, int, bool], None]
"""Told how far a blob is: (blob, bytes so far, done)."""


def _silent(_blob: Descriptor, _current: int, _done: bool) -> None:
    """Report to nobody."""


class _Copying:
    """A stream that writes what is read from it into a blob, and counts it."""

    def __init__(self, source: BinaryIO, blob: BlobWriter, told: Callable[[int], None]) -> None:
        self._source = source
        self._blob = blob
        self._told = told
        self.count = 0

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(_CHUNK if size < 0 else size)
        if data:
            self._blob.write(data)
            self.count += len(data)
            self._told(self.count)
        return data

    def readable(self) -> bool:
        return True

    def drain(self) -> None:
        while self.read(_CHUNK):
            pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Moves blobs; what arrives is verified and, if it is a layer, indexed as it streams."""

    blobs: BlobStore
    origins: BlobOrigins
    indexes: IndexStore
    archive: LayerArchive
    registry: Registry

    def pull_blob(self, reference: ImageReference, blob: Descriptor) -> bytes:
        """Return a small blob (a config), from the store or the registry; it is stored then.

        Raises RegistryError, BlobMismatch.
        """
        if self.blobs.size(blob.digest) is not None:
            with self.blobs.open(blob.digest) as content:
                return content.read()
        with self.registry.open_blob(reference, blob) as stream:
            data = stream.read(blob.size + 1)
        self.store(data, blob)
        return data

    def store(self, data: bytes, expected: Descriptor) -> None:
        """Store bytes that must be ``expected``. Raises BlobMismatch."""
        writer = self.blobs.writer()
        try:
            writer.write(data)
            writer.commit(expected.digest)
        finally:
            writer.abort()

    def pull_layers(
        self, reference: ImageReference, layers: Iterable[Layer], report: Report = _silent
    ) -> None:
        """Fetch the layers that are missing here, several at a time.

        Raises RegistryError, BlobMismatch, InvalidLayer, StoreFull; what came before stays.
        """
        missing = {
            layer.descriptor.digest: layer
            for layer in layers
            if self.blobs.size(layer.descriptor.digest) != layer.descriptor.size
        }
        if not missing:
            return
        with ThreadPoolExecutor(min(_PARALLEL, len(missing)), "pull") as pool:
            _all_of(
                [
                    pool.submit(self._pull_layer, reference, layer, report)
                    for layer in missing.values()
                ]
            )

    def _pull_layer(self, reference: ImageReference, layer: Layer, report: Report) -> None:
        blob = layer.descriptor
        writer = self.blobs.writer()
        try:
            with self.registry.open_blob(reference, blob) as stream:
                copying = _Copying(stream, writer, lambda count: report(blob, count, False))
                try:
                    diff_id, index = self.archive.index(copying)  # type: ignore[arg-type]
                except InvalidLayer:
                    # Bytes that are not those promised are named as such, not as a bad archive.
                    copying.drain()
                    self.blobs.remove(writer.commit(blob.digest))
                    raise
                copying.drain()
            if copying.count != blob.size:
                raise RegistryError(
                    f"layer {blob.digest} of {reference.familiar} has {copying.count} bytes, "
                    f"not {blob.size} as its manifest says"
                )
            if diff_id != layer.diff_id:
                raise InvalidLayer(
                    f"layer {blob.digest} of {reference.familiar} unpacks to {diff_id}, "
                    f"not {layer.diff_id} as its config says"
                )
            if self.blobs.size(blob.digest) not in (None, blob.size):
                self.blobs.remove(
                    blob.digest
                )  # a damaged one would stay: commit keeps what is there
            writer.commit(blob.digest)
        finally:
            writer.abort()
        self.indexes.put(diff_id, index)
        report(blob, blob.size, True)

    def push_blobs(
        self, reference: ImageReference, blobs: Iterable[Descriptor], report: Report = _silent
    ) -> None:
        """Upload the blobs that the registry lacks, several at a time; it is their origin then.

        Raises BlobNotFound, RegistryError.
        """
        wanted = list(blobs)
        with ThreadPoolExecutor(_PARALLEL, "push") as pool:
            _all_of([pool.submit(self._push_blob, reference, blob, report) for blob in wanted])
        self.origins.add(reference.repository, [blob.digest for blob in wanted])

    def _push_blob(self, reference: ImageReference, blob: Descriptor, report: Report) -> None:
        if not self.registry.has_blob(reference, blob.digest):
            size = self.blobs.size(blob.digest)
            if size is not None and size != blob.size:
                raise BlobDamaged(blob.digest, size, blob.size)
            with self.blobs.open(blob.digest) as content:
                self.registry.push_blob(reference, blob, content)
        report(blob, blob.size, True)


def _all_of(transfers: Sequence[Future[None]]) -> None:
    """Await all; after a failure none is begun any more."""
    try:
        for transfer in transfers:
            transfer.result()
    except BaseException:
        for transfer in transfers:
            transfer.cancel()
        raise
