"""The download of one blob from a registry into the store."""

from collections.abc import Callable, Iterator
from typing import BinaryIO, cast

from img.application.ports.blob_store import BlobMismatch, BlobStore, IncomingBlob, StoreFull
from img.application.ports.layer_archive import InvalidLayer
from img.application.ports.registry import Registry, RegistryError
from img.domain.dataclass import dataclass
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference

_CHUNK = 1 << 20

Report = Callable[[Descriptor, int, bool], None]
"""Called during a transfer: (blob, bytes so far, done)."""

Inspect = Callable[[BinaryIO], Callable[[], None]]
"""Reads a blob while it arrives, and returns a function to call once it is verified."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """Downloads of blobs, one at a time for each blob, among all threads and processes."""

    blobs: BlobStore
    registry: Registry

    def __call__(
        self, reference: ImageReference, blob: Descriptor, inspect: Inspect, report: Report
    ) -> None:
        """Store the blob. Bytes that arrived before a failure are not fetched again later.

        Raises RegistryError, BlobMismatch, StoreFull, and the errors of ``inspect``.
        """
        with self.blobs.incoming(blob.digest, lambda size: report(blob, size, False)) as incoming:
            if self.blobs.size(blob.digest) != blob.size:  # else it arrived during the wait
                self._fetch(reference, blob, incoming, inspect, report)
        report(blob, blob.size, True)

    def _fetch(
        self,
        reference: ImageReference,
        blob: Descriptor,
        incoming: IncomingBlob,
        inspect: Inspect,
        report: Report,
    ) -> None:
        if incoming.size > blob.size:
            incoming.restart()
        try:
            self._receive(reference, blob, incoming, inspect, report)
        except (StoreFull, InvalidLayer):
            incoming.restart()
            raise
        except BlobMismatch:
            # Stored bytes of an earlier try may be wrong, or a mirror, which is skipped the second
            # time: fetch the blob again from the start.
            incoming.restart()
            try:
                self._receive(reference, blob, incoming, inspect, report)
            except (BlobMismatch, InvalidLayer):
                incoming.restart()
                raise

    def _receive(
        self,
        reference: ImageReference,
        blob: Descriptor,
        incoming: IncomingBlob,
        inspect: Inspect,
        report: Report,
    ) -> None:
        arriving = _Arriving(self.registry, reference, blob, incoming, report)
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
                raise RegistryError(
                    f"blob {blob.digest} of {reference.familiar} has {arriving.count} bytes, "
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
        registry: Registry,
        reference: ImageReference,
        blob: Descriptor,
        incoming: IncomingBlob,
        report: Report,
    ) -> None:
        self._registry = registry
        self._reference = reference
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
            self._source = self._registry.open_blob(self._reference, self._blob, self.count)
        data = self._source.read(size)
        if data:
            self._incoming.write(data)
            self.count += len(data)
            self._report(self._blob, self.count, False)
        return data
