"""Wiring of caches that builds import and export."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from img.entrypoints.lazy import lazy_imports

with lazy_imports(__name__):
    from img.application.cache_export.export import ExportCache
    from img.application.cache_export.export_all import ExportCaches
    from img.application.cache_export.mounts import PackCacheMounts
    from img.application.cache_import.imported import ImportedCaches
    from img.application.cache_import.read import CacheReader
    from img.application.cache_import.remote import RemoteCacheReader

if TYPE_CHECKING:
    from img.application.layers.on_demand import ImportedLayers, Layers
    from img.application.outputs.assemble import Assemble
    from img.application.ports.blob_origins import BlobOrigins
    from img.application.ports.image_layout import LayoutWriter
    from img.application.ports.index_store import IndexStore
    from img.application.ports.layer_archive import LayerArchive
    from img.application.ports.progress_sink import ProgressSink
    from img.application.ports.registry import Registry
    from img.application.ports.remote_cache import RemoteCaches
    from img.application.solver.steps.mounts import PrepareMounts
    from img.application.transfer.blobs import Transfer
    from img.application.transfer.copy_layout import CopyFromLayout
    from img.domain.oci.chain import Layer


def imported_caches(
    registry: Registry,
    remotes: RemoteCaches,
    layers: ImportedLayers,
    copy: CopyFromLayout,
    transfer: Transfer,
    indexes: IndexStore,
    archive: LayerArchive,
    origins: BlobOrigins,
    progress: ProgressSink,
    namespace: str,
) -> ImportedCaches:
    """Return the caches that a build imports."""
    remote = RemoteCacheReader(
        remotes=remotes, blobs=copy.blobs, indexes=indexes, archive=archive, progress=progress
    )
    reader = CacheReader(
        registry=registry,
        remote=remote,
        copy=copy,
        transfer=transfer,
        indexes=indexes,
        archive=archive,
        origins=origins,
        progress=progress,
    )
    return ImportedCaches(reader=reader, layers=layers, progress=progress, variant=namespace)


def imported_mounts(imported: ImportedCaches) -> Callable[[str], Sequence[Layer]]:
    """Return a function from the name of a cache mount to its imported files."""

    def layers(name: str) -> Sequence[Layer]:
        layer = imported.mount(name)
        return () if layer is None else (layer,)

    return layers


def export_caches(
    registry: Registry,
    remotes: RemoteCaches,
    layouts: LayoutWriter,
    transfer: Transfer,
    mount: PrepareMounts,
    assemble: Assemble,
    imported: ImportedCaches,
    layers: Layers,
    progress: ProgressSink,
) -> ExportCaches:
    """Return the use case that exports the cache of a build."""

    def fetched(layer: Layer) -> bool:
        return imported.fetched(layer) or layers.fetch_shared(layer)

    export = ExportCache(
        registry=registry,
        remotes=remotes,
        layouts=layouts,
        transfer=transfer,
        blobs=assemble.blobs,
        progress=progress,
        fetch=fetched,
        recompress=assemble.variants.recompressed,
        variant=imported.variant,
    )
    pack = PackCacheMounts(
        mount=mount,
        caches=mount.caches,
        archive=mount.copy.archive,
        blobs=assemble.blobs,
        progress=progress,
    )
    return ExportCaches(assemble=assemble, export=export, pack_mounts=pack, more_keys=imported.keys)
