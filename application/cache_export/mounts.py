"""Export of the directories of RUN --mount=type=cache as layers."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import chain

from img.application.cache_export.export import ExportableResults
from img.application.ports.blob_store import BlobStore
from img.application.ports.cache_mounts import CacheMounts
from img.application.ports.layer_archive import LayerArchive
from img.application.ports.progress_sink import ProgressSink
from img.application.solver.results import Result
from img.application.solver.steps.mounts import PrepareMounts, cache_name
from img.domain.dataclass import dataclass
from img.domain.errors import BuildError, ImgError
from img.domain.graph.exported_cache import ExportedMount
from img.domain.graph.operations import Exec
from img.domain.graph.vertex import Plan
from img.domain.oci.chain import Layer
from img.domain.progress import VertexDone, VertexStarted, VertexWarning

_VERTEX = "packing cache mounts"


@dataclass(frozen=True, slots=True, kw_only=True)
class PackCacheMounts:
    """Packs each cache directory of the steps of a build as a layer."""

    mount: PrepareMounts
    caches: CacheMounts
    archive: LayerArchive
    blobs: BlobStore
    progress: ProgressSink

    def __call__(self, plan: Plan, results: Mapping[int, Result]) -> ExportableResults:
        """Return the directories with files, except those that change meanwhile."""
        mounts, layers = [], []
        self.progress.emit(VertexStarted(vertex=_VERTEX, name=_VERTEX))
        for name in self._names(plan, results):
            try:
                layer = self._packed(name)
            except ImgError as error:
                self.progress.emit(VertexWarning(vertex=_VERTEX, message=error.message))
                continue
            if layer is not None:
                mounts.append(ExportedMount(name=name, diff_id=layer.diff_id))
                layers.append(layer)
        self.progress.emit(VertexDone(vertex=_VERTEX))
        return ExportableResults(mounts=tuple(mounts), layers=tuple(layers))

    def _names(self, plan: Plan, results: Mapping[int, Result]) -> Iterable[str]:
        """Return the names of all cache mounts of steps with known inputs."""
        names: dict[str, None] = {}
        for position in sorted(results):
            vertex = plan.graph.vertices[position]
            if isinstance(vertex.operation, Exec):
                inputs = {i: results[at] for i, at in enumerate(vertex.inputs) if at in results}
                for place, mount in enumerate(vertex.operation.mounts):
                    if mount.type == "cache" and (mount.input is None or mount.input in inputs):
                        with suppress(BuildError):
                            source = self.mount.sources(vertex.operation, inputs).get(place)
                            names[cache_name(mount, source)] = None
        return names

    def _packed(self, name: str) -> Layer | None:
        with self.caches.files(name) as files:
            first = next(files, None)
            if first is None:
                return None
            return self.archive.pack(chain((first,), files), self.blobs.writer()).layer
