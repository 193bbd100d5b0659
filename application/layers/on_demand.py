"""Layers that are fetched when their bytes are needed."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import field
from functools import partial
from typing import BinaryIO, cast

from img.application.cancellation import StepCanceled, current_cancellation
from img.application.ports.blob_origins import BlobOrigins
from img.application.ports.blob_store import BlobNotFound, BlobStore
from img.application.ports.executor import Cancellation
from img.application.ports.layer_archive import InvalidLayer
from img.application.ports.progress_sink import ProgressSink
from img.application.ports.registry import RegistryError
from img.application.transfer.blobs import Transfer
from img.application.transfer.damage import check_blob
from img.application.transfer.download import Report
from img.application.transfer.pull_documents import reporting
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import RemoteError
from img.domain.oci.chain import Layer
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference

Watched = Callable[[Report], Report]
"""Returns a report that raises StepCanceled when the transfer is no longer needed."""

BringImported = Callable[[Sequence[Layer], Watched], None]
"""Fetches those layers that remote caches or the cluster hold. Raises LayerLost, StoreFull."""


class LayerLost(RemoteError):
    """A layer that a remote cache or a cluster does not give: its step has to be done."""

    def __init__(self, digest: Digest, reason: str) -> None:
        super().__init__(f"layer {digest} is lost: {reason}")
        self.digest = digest


def _no_imported(_layers: Sequence[Layer], _watched: Watched) -> None:
    """Fetch nothing: the build has no such place."""


def _has_none(_layer: Layer) -> bool:
    """Return False: the build has no store of a cluster."""
    return False


@dataclass(slots=True)
class ImportedLayers:
    """Layers of remote caches or of a cluster; ``bring`` is set by a build that uses them.

    ``has`` returns whether the store of the cluster holds a layer, which may be missing here.
    """

    bring: BringImported = _no_imported
    has: Callable[[Layer], bool] = _has_none


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """Layers in the store, and those in repositories that are known to have them."""

    blobs: BlobStore
    origins: BlobOrigins
    transfer: Transfer
    progress: ProgressSink
    imported: ImportedLayers = field(default_factory=ImportedLayers)
    shared: ImportedLayers = field(default_factory=ImportedLayers)  # of a cluster

    def open(self, layer: Layer) -> BinaryIO:
        """Return the blob of the layer for reading; the caller closes it.

        Raises the errors of ``bring``. If decoding fails, the blob is verified again, and
        BlobDamaged is raised if its digest is wrong.
        """
        self.bring([layer])
        digest = layer.descriptor.digest
        return cast(BinaryIO, _Suspect(self.blobs, digest))

    def bring(self, layers: Iterable[Layer]) -> None:
        """Fetch the missing ones of ``layers``, several at a time.

        Raises BlobNotFound if no repository is known, RegistryError, BlobMismatch,
        InvalidLayer, StoreFull, LayerLost; StepCanceled if the thread's cancellation is set.
        """
        layers = tuple(layers)
        for other in (self.imported, self.shared):
            if missing := self._missing(layers):
                other.bring(missing, partial(_cancellable, current_cancellation()))
        tried: set[str] = set()
        failure: RegistryError | None = None
        while missing := self._missing(layers):
            repository = self._repository_for(missing[0], tried)
            if repository is None:
                raise failure or BlobNotFound(missing[0].descriptor.digest)
            tried.add(repository)
            try:
                self._pull(repository, missing)
            except RegistryError as error:
                failure = error

    def bring_unpublished(self, layers: Iterable[Layer]) -> None:
        """Fetch the missing ones of ``layers`` that no repository has: no push can mount them.

        Raises the errors of ``bring``.
        """
        self.bring(
            layer
            for layer in self._missing(layers)
            if not self.origins.repositories(layer.descriptor.digest)
        )

    def fetch_shared(self, layer: Layer) -> bool:
        """Fetch a layer that the cluster holds; return whether it is in the store.

        Raises LayerLost, StoreFull.
        """
        if not self.are_here([layer]) and self.shared.has(layer):
            self.shared.bring([layer], partial(_cancellable, current_cancellation()))
        return self.are_here([layer])

    def are_here(self, layers: Iterable[Layer]) -> bool:
        """Return whether all are in the store."""
        return all(
            self.blobs.size(layer.descriptor.digest) == layer.descriptor.size for layer in layers
        )

    def _missing(self, layers: Iterable[Layer]) -> Sequence[Layer]:
        return [each for each in layers if self.blobs.size(each.descriptor.digest) is None]

    def _repository_for(self, layer: Layer, tried: set[str]) -> str | None:
        known = self.origins.repositories(layer.descriptor.digest)
        return next((each for each in known if each not in tried), None)

    def _pull(self, repository: str, missing: Sequence[Layer]) -> None:
        there = [
            layer
            for layer in missing
            if repository in self.origins.repositories(layer.descriptor.digest)
        ]
        reference = ImageReference.parse(repository, default_tag=False)
        with reporting(self.progress, f"pull {reference.familiar}", reference) as report:
            self.transfer.pull_layers(
                reference, there, _cancellable(current_cancellation(), report)
            )


class _Suspect:
    """A blob that is verified again when decoding fails."""

    def __init__(self, blobs: BlobStore, digest: Digest) -> None:
        self._blobs = blobs
        self._digest = digest
        self._stream = blobs.open(digest)

    def read(self, size: int = -1) -> bytes:
        return self._stream.read(size)

    def seek(self, offset: int) -> int:
        """Move to ``offset``: what is read afterwards is not verified."""
        return self._stream.seek(offset)

    def close(self) -> None:
        self._stream.close()

    def __enter__(self) -> "_Suspect":
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.close()
        if isinstance(error, InvalidLayer):
            check_blob(self._blobs, self._digest)


def _cancellable(cancellation: Cancellation | None, report: Report) -> Report:
    """Return a report that raises StepCanceled once ``cancellation`` is set."""
    if cancellation is None:
        return report
    is_cancelled: Callable[[], bool] = cancellation.is_set

    def checked(blob: Descriptor, current: int, done: bool) -> None:
        if is_cancelled():
            raise StepCanceled
        report(blob, current, done)

    return checked
