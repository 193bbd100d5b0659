"""Layers that the machines of a cluster exchange."""

from collections.abc import Iterable, Sequence
from contextlib import suppress

from img.application.cancellation import StepCanceled
from img.application.layers.on_demand import ImportedLayers, LayerLost, Watched
from img.application.ports.blob_origins import BlobOrigins
from img.application.ports.blob_store import BlobStore, StoreFull
from img.application.ports.index_store import IndexStore
from img.application.ports.layer_archive import LayerArchive
from img.application.ports.progress_sink import ProgressSink
from img.application.ports.shared_blobs import (
    SharedBlobNotFound,
    SharedBlobs,
    SharedBlobsError,
    SharedBlobStores,
)
from img.application.threads import gather, threads
from img.application.transfer.blobs import Transfer
from img.application.transfer.download import BlobSource, Download, indexing
from img.application.transfer.pull_documents import reporting
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import ImgError, StateError
from img.domain.oci.chain import Layer
from img.domain.options.cluster_store import ClusterStore

_PARALLEL = 4  # layers at a time, as for images


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedLayers:
    """Layers in the store of this machine and in a store of a cluster."""

    place: ClusterStore
    shared: SharedBlobs
    blobs: BlobStore
    indexes: IndexStore
    archive: LayerArchive
    origins: BlobOrigins
    progress: ProgressSink

    def has(self, layer: Layer) -> bool:
        """Return whether another machine can fetch the layer. Raises the errors of the store."""
        is_there = self.shared.has(layer.descriptor.digest)
        if is_there:
            self.note([layer.descriptor.digest])
        return is_there

    def offer(self, layers: Iterable[Layer]) -> None:
        """Add the layers, which are stored here, unless they are there.

        Raises BlobNotFound, BlobDamaged, the errors of the shared store.
        """
        distinct = {layer.descriptor.digest: layer for layer in layers}
        if distinct:
            with threads(min(_PARALLEL, len(distinct)), "share") as pool:
                gather([pool.submit(self._offer, layer) for layer in distinct.values()])
            self.note(distinct)

    def note(self, digests: Iterable[Digest]) -> None:
        """Record that the shared store has the blobs.

        If it is a repository, pushes to the same registry mount them, and they are fetched from it
        as layers of images are.
        """
        if self.shared.repository:
            with suppress(StateError):  # full or read-only: a later push sends more
                self.origins.add(self.shared.repository, digests)

    def bring(self, layers: Sequence[Layer], watched: Watched) -> None:
        """Fetch those of ``layers`` that the shared store has, several at a time, verified.

        ``watched`` returns the report to call. A layer that it does not give is left to the
        repositories of images; without one, LayerLost is raised. Raises StoreFull, StepCanceled.
        """
        if layers:
            with threads(min(_PARALLEL, len(layers)), "shared") as pool:
                gather([pool.submit(self._bring, layer, watched) for layer in layers])

    def _offer(self, layer: Layer) -> None:
        blob = layer.descriptor
        if self.blobs.size(blob.digest) is None and self.shared.has(blob.digest):
            return  # nothing needed its bytes here
        with self.blobs.open(blob.digest) as content:
            self.shared.add(blob, content)

    def _bring(self, layer: Layer, watched: Watched) -> None:
        digest = layer.descriptor.digest
        try:
            if not self.shared.has(digest):
                raise SharedBlobNotFound(self.shared.name, digest)
            self._fetch(layer, watched)
        except (StoreFull, StepCanceled):
            raise
        except ImgError as error:
            if not self._is_elsewhere(digest):
                raise LayerLost(digest, error.message) from None

    def _is_elsewhere(self, digest: Digest) -> bool:
        known = self.origins.repositories(digest)
        return any(each != self.shared.repository for each in known)

    def _fetch(self, layer: Layer, watched: Watched) -> None:
        source = BlobSource(name=self.shared.name, open=self.shared.open, error=SharedBlobsError)
        inspect = indexing(self.archive, self.indexes, layer, self.shared.name)
        title = f"fetch {layer.descriptor.digest} from the cluster store"
        with reporting(self.progress, title, self.place) as report:
            Download(blobs=self.blobs)(source, layer.descriptor, inspect, watched(report))


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareLayers:
    """The use of a store of a cluster as another source of all layers of this process."""

    stores: SharedBlobStores
    hook: ImportedLayers  # of Layers
    transfer: Transfer
    progress: ProgressSink

    def __call__(self, place: ClusterStore) -> SharedLayers:
        """Open the store. Raises SharedBlobsError, RemoteCacheError."""
        layers = SharedLayers(
            place=place,
            shared=self.stores.open(place),
            blobs=self.transfer.blobs,
            indexes=self.transfer.indexes,
            archive=self.transfer.archive,
            origins=self.transfer.origins,
            progress=self.progress,
        )
        self.hook.bring, self.hook.has = layers.bring, layers.has
        return layers
