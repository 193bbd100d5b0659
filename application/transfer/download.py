"""The download of one blob into the store."""

from collections.abc import Callable, Iterator
from typing import BinaryIO, cast

from img.application.ports.blob_store import BlobMismatch, BlobStore, IncomingBlob, StoreFull
from img.application.ports.index_store import IndexStore
from img.application.ports.layer_archive import InvalidLayer, LayerArchive
from img.application.ports.registry import Registry, RegistryError
from img.domain.dataclass import dataclass
from img.domain.errors import ImgError
from img.domain.oci.chain import Layer
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference

_CHUNK = 1 << 20

Report = Callable[[Descriptor, int, bool], None]
"""Called during a transfer: (blob, bytes so far, done)."""

Inspect = Callable[[BinaryIO], Callable[[], None]]
"""Reads a blob while it arrives, and returns a function to call once it is verified."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobSource:
    """A place that blobs are fetched from: ``open`` returns a blob's bytes from a position on."""

    name: str
    open: Callable[[Descriptor, int], BinaryIO]
    error: Callable[[str], ImgError]  # for what the place got wrong

    @classmethod
    def of_registry(cls, registry: Registry, reference: ImageReference) -> "BlobSource":
        """Return the repository of ``reference``."""
        return cls(
            name=reference.familiar,
            open=lambda blob, start: registry.open_blob(reference, blob, start),
            error=RegistryError,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """Downloads of blobs, one at a time for each blob, among all threads and processes."""

    blobs: BlobStore

    def __call__(
        self, source: BlobSource, blob: Descriptor, inspect: Inspect, report: Report
    ) -> None:
        """Store the blob. Bytes that arrived before a failure are not fetched again later.

        Raises the errors of the source, BlobMismatch, StoreFull, and the errors of ``inspect``.
        """
        with self.blobs.incoming(blob.digest, lambda size: report(blob, size, False)) as incoming:
            if self.blobs.size(blob.digest) != blob.size:  # else it arrived during the wait
                self._fetch(source, blob, incoming, inspect, report)
        report(blob, blob.size, True)

    def _fetch(
        self,
        source: BlobSource,
        blob: Descriptor,
        incoming: IncomingBlob,
        inspect: Inspect,
        report: Report,
    ) -> None:
        if incoming.size > blob.size:
            incoming.restart()
        try:
            self._receive(source, blob, incoming, inspect, report)
        except (StoreFull, InvalidLayer):
            incoming.restart()
            raise
        except BlobMismatch:
            # Stored bytes of an earlier try may be wrong, or a mirror, which is skipped the second
            # time: fetch the blob again from the start.
            incoming.restart()
            try:
                self._receive(source, blob, incoming, inspect, report)
            except (BlobMismatch, InvalidLayer):
                incoming.restart()
                raise

    def _receive(
        self,
        source: BlobSource,
        blob: Descriptor,
        incoming: IncomingBlob,
        inspect: Inspect,
        report: Report,
    ) -> None:
        arriving = _Arriving(source, blob, incoming, report)
        try:
            try:
                finish = inspect(cast(BinaryIO, arriving))
            except InvalidLayer:
                # For wrong bytes raise BlobMismatch, not InvalidLayer.
                arriving.drain()
                incoming.check()
                raise
            arriving.drain()
            if incoming.size != blob.size:
                incoming.restart()
                raise source.error(
                    f"blob {blob.digest} of {source.name} has {arriving.count} bytes, "
                    f"not {blob.size} as its manifest says"
                )
            incoming.check()
            finish()
            incoming.commit()
        finally:
            arriving.close()


class _Arriving:
    """A blob as a stream: first the stored bytes, then the rest, which is stored meanwhile."""

    def __init__(
        self,
        origin: BlobSource,
        blob: Descriptor,
        incoming: IncomingBlob,
        report: Report,
    ) -> None:
        self._origin = origin
        self._blob = blob
        self._incoming = incoming
        self._report = report
        self._stored: Iterator[bytes] | None = incoming.stored()
        self._ready = b""
        self._source: BinaryIO | None = None
        self.count = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if not self._ready and self._stored is not None:
            self._ready = next(self._stored, b"")
            if not self._ready:
                self._stored = None
        if not self._ready:
            return self._fetched(_CHUNK if size < 0 else size)
        data = self._ready if size < 0 else self._ready[:size]
        self._ready = self._ready[len(data) :]
        self.count += len(data)
        return data

    def drain(self) -> None:
        while self.read(_CHUNK):
            pass

    def close(self) -> None:
        if self._source is not None:
            self._source.close()

    def _fetched(self, size: int) -> bytes:
        if self._source is None:
            if self.count and self.count == self._blob.size:
                return b""
            self._source = self._origin.open(self._blob, self.count)
        data = self._source.read(size)
        if data:
            self._incoming.write(data)
            self.count += len(data)
            self._report(self._blob, self.count, False)
        return data


def indexing(archive: LayerArchive, indexes: IndexStore, layer: Layer, source: str) -> Inspect:
    """Return an Inspect that verifies the DiffID of a layer and stores its index.

    Errors name ``source``.
    """

    def inspect(content: BinaryIO) -> Callable[[], None]:
        diff_id, index = archive.index(content, layer.descriptor.digest)

        def finish() -> None:
            if diff_id != layer.diff_id:
                raise InvalidLayer(
                    f"layer {layer.descriptor.digest} of {source} unpacks to "
                    f"{diff_id}, not {layer.diff_id} as its config says"
                )
            # Before the blob: a thread that waits for the blob needs the index too.
            indexes.put(diff_id, index)

        return finish

    return inspect
