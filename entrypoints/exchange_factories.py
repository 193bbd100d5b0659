"""What exchanges caches with other machines, made when a build asks for it."""

from __future__ import annotations  # so that types are not imported

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from img.application.cache_export.export_all import LeaveCaches
    from img.application.cache_import.imported import ImportedCaches
    from img.application.outputs.assemble import Assemble
    from img.application.ports.blob_origins import BlobOrigins
    from img.application.ports.image_layout import LayoutWriter
    from img.application.ports.index_store import IndexStore
    from img.application.ports.layer_archive import LayerArchive
    from img.application.ports.progress_sink import ProgressSink
    from img.application.ports.registry import Registry
    from img.application.solver.mounts import MountAll
    from img.application.transfer.blobs import Transfer
    from img.application.transfer.copy_layout import CopyFromLayout
    from img.domain.oci.chain import Layer


def imported(
    registry: Registry,
    copy: CopyFromLayout,
    transfer: Transfer,
    indexes: IndexStore,
    archive: LayerArchive,
    origins: BlobOrigins,
    progress: ProgressSink,
    variant: str,
) -> ImportedCaches:
    from img.application.cache_import.imported import ImportedCaches
    from img.application.cache_import.read import CacheReader

    reader = CacheReader(
        registry=registry,
        copy=copy,
        transfer=transfer,
        indexes=indexes,
        archive=archive,
        origins=origins,
        progress=progress,
    )
    return ImportedCaches(reader=reader, progress=progress, variant=variant)


def imported_mounts(imported: ImportedCaches) -> Callable[[str], Layer | None]:
    """Return what tells what a cache mount held elsewhere, by its name."""

    def mount(name: str) -> Layer | None:
        return imported.mount(name)

    return mount


def leave_caches(
    registry: Registry,
    layouts: LayoutWriter,
    transfer: Transfer,
    mount: MountAll,
    assemble: Assemble,
    imported: ImportedCaches,
    progress: ProgressSink,
) -> LeaveCaches:
    from img.application.cache_export.export import ExportCache
    from img.application.cache_export.export_all import LeaveCaches
    from img.application.cache_export.mounts import PackCacheMounts

    export = ExportCache(
        registry=registry,
        layouts=layouts,
        transfer=transfer,
        blobs=assemble.blobs,
        progress=progress,
        fetch=imported.fetched,
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
    return LeaveCaches(assemble=assemble, export=export, pack_mounts=pack, more_keys=imported.keys)
