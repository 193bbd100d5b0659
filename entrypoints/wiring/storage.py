"""Wiring of the state directory, of build contexts here, and of images in files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from img.entrypoints import trace
from img.entrypoints.lazy import lazy, lazy_imports
from img.entrypoints.wiring.injection import (
    Wiring,
    attributes_of,
    providers,
    select,
)
from img.entrypoints.wiring.setup import Setup

with lazy_imports(__name__):
    from img.adapters.blob_origins.memory import MemoryBlobOrigins
    from img.adapters.blob_origins.sqlite import SqliteBlobOrigins
    from img.adapters.blob_store.files import FileBlobStore
    from img.adapters.blob_store.memory import MemoryBlobStore
    from img.adapters.blob_store.oci_layout import OciLayoutBlobStore
    from img.adapters.blob_store.recorded import RecordedBlobStore
    from img.adapters.blob_store.shared import SharedBlobs, WithSharedBlobs
    from img.adapters.build_context.local import LocalContexts
    from img.adapters.build_context.recorded import RecordedContexts
    from img.adapters.cache_store.memory import MemoryCacheStore
    from img.adapters.cache_store.namespaced import NamespacedCacheStore
    from img.adapters.cache_store.sqlite import SqliteCacheStore
    from img.adapters.exporter.docker_archive import DockerArchiveExporter
    from img.adapters.exporter.oci_archive import OciArchiveExporter
    from img.adapters.exporter.oci_layout import OciLayoutExporter
    from img.adapters.file_digest_store.memory import MemoryFileDigestStore
    from img.adapters.file_digest_store.sqlite import SqliteFileDigestStore
    from img.adapters.image_layout.directory import DirectoryLayouts
    from img.adapters.image_layout.writer import DirectoryLayoutWriter
    from img.adapters.image_store.memory import MemoryImageStore
    from img.adapters.image_store.oci_layout import OciLayoutImageStore
    from img.adapters.image_store.shared import WithSharedImages
    from img.adapters.image_store.sqlite import SqliteImageStore
    from img.adapters.importer.archive import ArchiveImporter
    from img.adapters.index_store.files import FileIndexStore
    from img.adapters.index_store.memory import MemoryIndexStore
    from img.adapters.index_store.recorded import RecordedIndexStore
    from img.adapters.layer_archive.compression import decompressed
    from img.adapters.layer_archive.tar import TarLayerArchive, archive_members
    from img.adapters.scratch_space.files import FileScratchSpace
    from img.adapters.state_lock.file import FileStateLock
    from img.adapters.storage.recorded_database import RecordedDatabase
    from img.adapters.storage.sqlite import Database

if TYPE_CHECKING:
    from img.application.ports.blob_origins import BlobOrigins
    from img.application.ports.blob_store import BlobStore
    from img.application.ports.build_context import ContextSource
    from img.application.ports.cache_store import CacheStore
    from img.application.ports.file_digest_store import FileDigestStore
    from img.application.ports.image_store import ImageStore
    from img.application.ports.index_store import IndexStore
    from img.application.ports.layer_archive import LayerArchive
    from img.application.ports.scratch_space import ScratchSpace
    from img.entrypoints.wiring.system import System


def _cache_namespace(setup: Setup) -> str:
    """Return the cache namespace of builds with inexact layers, "" for exact builds."""
    by_emulation = setup.host.cache_namespace(setup.settings.emulate)
    return by_emulation + ("--backend=fuse" if setup.snapshotter == "fuse" else "")


def _database(setup: Setup) -> Database:
    if setup.recorder is None:
        return Database(setup.database)
    return RecordedDatabase(setup.database, setup.recorder)


def _file_blobs(setup: Setup) -> BlobStore:
    if setup.recorder is None:
        return FileBlobStore(setup.settings.state)
    return RecordedBlobStore(setup.settings.state, setup.recorder)


def _file_indexes(setup: Setup) -> IndexStore:
    if setup.recorder is None:
        return FileIndexStore(setup.settings.state)
    return RecordedIndexStore(setup.settings.state, setup.recorder)


def _sqlite_cache(database: Database, namespace: str) -> CacheStore:
    store = SqliteCacheStore(database)
    return NamespacedCacheStore(store, namespace) if namespace else store


def _scratch_elsewhere() -> ScratchSpace:
    import tempfile

    return FileScratchSpace(Path(tempfile.gettempdir()))


def _shared_blobs(setup: Setup, own: BlobStore) -> WithSharedBlobs:
    return WithSharedBlobs(own, [SharedBlobs(root) for root in setup.settings.shared_stores])


def _shared_images(setup: Setup, own: ImageStore, blobs: WithSharedBlobs) -> ImageStore:
    shared = [
        OciLayoutImageStore(root, setup.settings.platform) for root in setup.settings.shared_stores
    ]
    return WithSharedImages(own, shared, blobs, blobs.adopt)


def _local_contexts(
    setup: Setup, known: FileDigestStore, archive: LayerArchive, scratch: ScratchSpace
) -> ContextSource:
    """Return the contexts on this machine, which are recorded in a build that may leave a trace."""
    if setup.recorder is None or trace.current is None:
        return LocalContexts(known, archive, scratch)
    return RecordedContexts(known, archive, scratch, setup.recorder, trace.current.walks)


class Storage(Wiring):
    """Blobs, names, records, locks; build contexts; images read from and written to files."""

    def __init__(self, setup: Setup, system: System) -> None:
        super().__init__()
        given = attributes_of(setup)
        self.database = providers.Singleton(_database, setup)
        self.own_blobs: providers.Provider[BlobStore] = select(
            given.settings.store,
            files=providers.Singleton(_file_blobs, setup),
            memory=providers.Singleton(MemoryBlobStore),
            **{"oci-layout": providers.Singleton(OciLayoutBlobStore, given.layout)},
        )
        self.own_images: providers.Provider[ImageStore] = select(
            given.settings.store,
            files=providers.Singleton(SqliteImageStore, self.database),
            memory=providers.Singleton(MemoryImageStore),
            **{"oci-layout": providers.Singleton(OciLayoutImageStore, given.layout)},
        )
        self.blobs: providers.Provider[BlobStore] = self.own_blobs
        self.images: providers.Provider[ImageStore] = self.own_images
        if setup.settings.shared_stores:
            shared: providers.Provider[Any] = providers.Singleton(
                _shared_blobs, setup, self.own_blobs
            )
            self.blobs = shared
            self.images = providers.Singleton(_shared_images, setup, self.own_images, shared)
        self.origins: providers.Provider[BlobOrigins] = select(
            given.records,
            state=providers.Singleton(SqliteBlobOrigins, self.database),
            memory=providers.Singleton(MemoryBlobOrigins),
        )
        self.indexes: providers.Provider[IndexStore] = select(
            given.records,
            state=providers.Singleton(_file_indexes, setup),
            memory=providers.Singleton(MemoryIndexStore),
        )
        self.cache_namespace = providers.Callable(_cache_namespace, setup)
        self.cache: providers.Provider[CacheStore] = select(
            given.records,
            state=providers.Singleton(_sqlite_cache, self.database, self.cache_namespace),
            memory=providers.Singleton(MemoryCacheStore),
        )
        self.file_digests: providers.Provider[FileDigestStore] = select(
            given.records,
            state=providers.Singleton(SqliteFileDigestStore, self.database),
            memory=providers.Singleton(MemoryFileDigestStore),
        )
        self.scratch: providers.Provider[ScratchSpace] = select(
            given.records,
            state=providers.Singleton(FileScratchSpace, given.temporary),
            memory=providers.Singleton(_scratch_elsewhere),
        )
        self.lock = providers.Singleton(FileStateLock, given.settings.state)
        self.archive = providers.Singleton(lazy(TarLayerArchive), system.ownership)

        self.local_contexts = providers.Singleton(
            _local_contexts, setup, self.file_digests, self.archive, self.scratch
        )

        self.layouts = providers.Singleton(lazy(DirectoryLayouts))
        self.layout_writer = providers.Singleton(
            lazy(DirectoryLayoutWriter), providers.Factory(OciLayoutBlobStore, marks=False).provider
        )
        self.layout_exporter = providers.Factory(OciLayoutExporter, self.blobs)
        self.exporters = providers.Dict(
            docker=providers.Factory(DockerArchiveExporter, self.blobs, decompressed),
            oci=providers.Factory(OciArchiveExporter, self.blobs),
        )
        self.importer = providers.Singleton(
            ArchiveImporter, self.blobs, archive_members, decompressed, given.settings.platform
        )
