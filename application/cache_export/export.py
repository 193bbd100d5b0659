"""Export of results to one target of ``--cache-to``."""

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from img.application.log import logger
from img.application.ports.blob_store import BlobStore, store_document
from img.application.ports.image_layout import LayoutWriter
from img.application.ports.progress_sink import ProgressSink
from img.application.ports.registry import Registry
from img.application.ports.remote_cache import RemoteCache, RemoteCacheBusy, RemoteCaches
from img.application.solver.results import Result, Stack
from img.application.threads import gather, threads
from img.application.transfer.blobs import Transfer
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import ImgError
from img.domain.graph.exported_cache import (
    CACHE_CONFIG,
    ExportedCache,
    ExportedMount,
    ExportedRecord,
    encode_cache,
)
from img.domain.graph.operations import CopyFiles, Exec, MakeDirectory
from img.domain.graph.remote_cache import encode_remote_cache
from img.domain.graph.vertex import Graph, Plan
from img.domain.oci import media_types
from img.domain.oci.chain import Layer
from img.domain.oci.codec import encode_manifest
from img.domain.oci.compression import Compression
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.manifest import Manifest
from img.domain.options.cache import CacheTarget, LocalCache, RegistryCache
from img.domain.options.remote_cache import ActionsCache, ObjectStoreCache, RemotePlace
from img.domain.progress import VertexDone, VertexFailed, VertexStarted, VertexWarning

log = logger("cache export")

MoreKeys = Callable[[Digest, Layer | None], tuple[Digest, ...]]
"""Returns the keys of imported caches that find the same layer as a key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportableResults:
    """Records for export, and their layers."""

    records: tuple[ExportedRecord, ...] = ()
    mounts: tuple[ExportedMount, ...] = ()
    layers: tuple[Layer, ...] = ()

    def __add__(self, other: "ExportableResults") -> "ExportableResults":
        return ExportableResults(
            records=tuple(dict.fromkeys((*self.records, *other.records))),
            mounts=tuple(dict.fromkeys((*self.mounts, *other.mounts))),
            layers=tuple(dict.fromkeys((*self.layers, *other.layers))),
        )

    def with_layers(self, layers: Iterable[Layer]) -> "ExportableResults":
        """Return the results that use only these layers."""
        kept = {layer.diff_id: layer for layer in layers}
        return ExportableResults(
            records=tuple(r for r in self.records if r.diff_id is None or r.diff_id in kept),
            mounts=tuple(mount for mount in self.mounts if mount.diff_id in kept),
            layers=tuple(kept.values()),
        )


def results_of(
    plan: Plan,
    results: Mapping[int, Result],
    more_keys: MoreKeys,
    *,
    everything: bool,
) -> ExportableResults:
    """Return the results of the steps of a build in their order.

    Without ``everything`` only those of the layers of the image (mode=min).
    """
    spine = set(_spine(plan.graph, plan.target))
    records, layers = [], []
    for position, stack in sorted(results.items()):
        vertex = plan.graph.vertices[position]
        if not isinstance(stack, Stack) or not (everything or position in spine):
            continue
        if isinstance(vertex.operation, CopyFiles | MakeDirectory | Exec) and stack.created:
            records.append(
                ExportedRecord(
                    keys=tuple(dict.fromkeys((*stack.found_by, *more_keys(stack.key, stack.own)))),
                    diff_id=stack.own.diff_id if stack.own else None,
                    created=stack.created,
                    made_from=tuple(stack.made_from.items()),
                    description=vertex.name.partition("] ")[2] or vertex.name,
                )
            )
            layers += [stack.own] if stack.own else []
    return ExportableResults(records=tuple(records), layers=tuple(dict.fromkeys(layers)))


def _spine(graph: Graph, position: int) -> Iterable[int]:
    """Yield ``position`` and the chain of its first inputs, which have the layers below."""
    while True:
        yield position
        inputs = graph.vertices[position].inputs
        if not inputs:
            return
        position = inputs[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportCache:
    """Export of records and layers to a registry or an OCI layout."""

    registry: Registry
    remotes: RemoteCaches
    layouts: LayoutWriter
    transfer: Transfer
    blobs: BlobStore
    progress: ProgressSink
    fetch: Callable[[Layer], bool]  # fetches a layer into the store; returns whether it is there
    recompress: Callable[[Sequence[Layer], Compression], Iterable[Layer]]
    variant: str = ""

    def inline(self, results: ExportableResults) -> ExportedCache:
        """Return the cache for the config of an image, which has the layers already."""
        return ExportedCache(records=results.records, variant=self.variant)

    def __call__(self, target: CacheTarget, results: ExportableResults) -> None:
        """Write ``results``, except for an inline target, which has them in its image.

        Raises RegistryError, OutputNotWritten … unless the target ignores errors.
        """
        if target.place is None:
            return
        name = f"exporting cache to {target}"
        self.progress.emit(VertexStarted(vertex=name, name=name))
        try:
            self._write(target, results)
        except ImgError as error:
            if not (target.ignore_error or isinstance(error, RemoteCacheBusy)):
                self.progress.emit(VertexFailed(vertex=name, message=error.message))
                raise
            self.progress.emit(VertexWarning(vertex=name, message=error.message))
        self.progress.emit(VertexDone(vertex=name))

    def _write(self, target: CacheTarget, results: ExportableResults) -> None:
        match target.place:
            case ActionsCache() | ObjectStoreCache() as place:
                cache = self._write_remote(place, target.compression, results)
            case _:
                cache = self._write_image(target, results)
        log.debug("cache exported", place=str(target), records=len(cache.records))

    def _write_remote(
        self, place: RemotePlace, compression: Compression | None, results: ExportableResults
    ) -> ExportedCache:
        """Upload the layers that are missing there, several at a time, and then the manifest."""
        remote = self.remotes.open(place)
        if compression is not None:
            here = [layer for layer in results.layers if self.fetch(layer)]
            results = results.with_layers(self.recompress(here, compression))
        with threads(remote.parallelism, "cache") as pool:
            kept = gather([pool.submit(self._upload, remote, each) for each in results.layers])
        results = results.with_layers(
            layer for layer, is_kept in zip(results.layers, kept, strict=True) if is_kept
        )
        cache = self._cache_of(results)
        remote.publish(encode_remote_cache(cache, results.layers))
        return cache

    def _upload(self, remote: RemoteCache, layer: Layer) -> bool:
        """Have the layer in the cache; return whether it is there."""
        blob = layer.descriptor
        if remote.keep(blob.digest):
            return True
        if not self.fetch(layer):
            return False
        with self.blobs.open(blob.digest) as content:
            return remote.add(blob, content)

    def _cache_of(self, results: ExportableResults) -> ExportedCache:
        return ExportedCache(
            records=results.records,
            mounts=results.mounts,
            diff_ids=tuple(layer.diff_id for layer in results.layers),
            variant=self.variant,
        )

    def _write_image(self, target: CacheTarget, results: ExportableResults) -> ExportedCache:
        results = results.with_layers(
            layer for layer in results.layers if self._is_there(target, layer) or self.fetch(layer)
        )
        if target.compression is not None:
            results = results.with_layers(self.recompress(results.layers, target.compression))
        cache = self._cache_of(results)
        config = store_document(self.blobs, encode_cache(cache), CACHE_CONFIG)
        manifest = _manifest(config, results.layers, docker=target.docker_types)
        match target.place:
            case RegistryCache(reference=reference):
                self.transfer.push_blobs(reference, manifest.blobs)
                document = encode_manifest(manifest)
                self.registry.push_manifest(reference, document, manifest.media_type)
            case LocalCache(path=path, tag=tag):
                self._write_layout(path, tag, manifest, reset=target.reset)
        return cache

    def _is_there(self, target: CacheTarget, layer: Layer) -> bool:
        """Return whether the registry of the target has the layer already."""
        return (
            target.compression is None
            and isinstance(target.place, RegistryCache)
            and self.registry.has_blob(target.place.reference, layer.descriptor.digest)
        )

    def _write_layout(self, path: str, tag: str, manifest: Manifest, *, reset: bool) -> None:
        for blob in manifest.blobs:
            with self.blobs.open(blob.digest) as content:
                self.layouts.add(path, blob, content)
        document = encode_manifest(manifest)
        target = Descriptor(
            media_type=manifest.media_type, digest=Digest.of(document), size=len(document)
        )
        self.layouts.add(path, target, io.BytesIO(document))
        kept = {target.digest, *(blob.digest for blob in manifest.blobs)}
        self.layouts.name(path, tag, target, only=kept if reset else None)


def _manifest(config: Descriptor, layers: Sequence[Layer], *, docker: bool) -> Manifest:
    kind = media_types.docker_layer_type if docker else media_types.oci_layer_type
    return Manifest(
        config=config,
        layers=tuple(
            replace(layer.descriptor, media_type=kind(layer.descriptor.media_type))
            for layer in layers
        ),
        media_type=media_types.DOCKER_MANIFEST if docker else media_types.OCI_MANIFEST,
    )
