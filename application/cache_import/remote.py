"""Reading of caches in object stores and in the cache service of GitHub Actions."""

from collections.abc import Callable, Iterator, Mapping

from img.application.ports.blob_store import BlobStore
from img.application.ports.index_store import IndexStore
from img.application.ports.layer_archive import LayerArchive
from img.application.ports.progress_sink import ProgressSink
from img.application.ports.remote_cache import RemoteCache, RemoteCacheError, RemoteCaches
from img.application.transfer.download import BlobSource, Download, Report, indexing
from img.application.transfer.pull_documents import reporting
from img.domain.dataclass import dataclass
from img.domain.graph.exported_cache import ExportedCache
from img.domain.graph.remote_cache import decode_remote_cache
from img.domain.oci.chain import DiffID, Layer
from img.domain.options.remote_cache import RemotePlace


def _as_it_is(report: Report) -> Report:
    return report


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteCacheReader:
    """The reader of remote caches: their manifests and layers."""

    remotes: RemoteCaches
    blobs: BlobStore
    indexes: IndexStore
    archive: LayerArchive
    progress: ProgressSink

    def caches(self, place: RemotePlace) -> Iterator[tuple[ExportedCache, Mapping[DiffID, Layer]]]:
        """Yield the caches that img has written at ``place``.

        Raises RemoteCacheError, InvalidDocument.
        """
        for content in self.remotes.open(place).manifests():
            if (found := decode_remote_cache(content)) is not None:
                yield found

    def has(self, place: RemotePlace, layer: Layer) -> bool:
        """Return whether the cache holds the layer. Raises RemoteCacheError."""
        return self.remotes.open(place).has(layer.descriptor.digest)

    def fetch(
        self,
        place: RemotePlace,
        layer: Layer,
        title: str,
        watched: Callable[[Report], Report] = _as_it_is,
    ) -> None:
        """Have the layer in the store, verified; ``watched`` returns the report to call.

        Raises RemoteCacheError, BlobMismatch, InvalidLayer, StoreFull.
        """
        remote: RemoteCache = self.remotes.open(place)
        source = BlobSource(name=str(place), open=remote.open, error=RemoteCacheError)
        inspect = indexing(self.archive, self.indexes, layer, str(place))
        with reporting(self.progress, title, place) as report:
            Download(blobs=self.blobs)(source, layer.descriptor, inspect, watched(report))
