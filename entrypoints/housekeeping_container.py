"""Wiring of what keeps the state in order: a part of the composition root."""

from __future__ import annotations  # so that types are not imported

from typing import TYPE_CHECKING

from img.entrypoints import adapter_factories as make
from img.entrypoints.injection import containers, providers
from img.entrypoints.lazy import later

if TYPE_CHECKING:
    from collections.abc import Callable

    from img.application.ports.blob_origins import BlobOrigins
    from img.application.ports.blob_store import BlobStore, BlobTrash
    from img.application.ports.cache_mounts import CacheMounts
    from img.application.ports.cache_store import CacheStore
    from img.application.ports.context_views import ContextViews
    from img.application.ports.file_digest_store import FileDigestStore
    from img.application.ports.image_store import ImageStore
    from img.application.ports.index_store import IndexStore
    from img.application.ports.layer_archive import LayerArchive
    from img.application.ports.registry import Registry
    from img.application.ports.snapshotter import Snapshotter
    from img.application.ports.state_lock import StateLock
    from img.application.ports.state_space import StateSpace
    from img.application.transfer.blobs import Transfer
    from img.application.transfer.catalog import Catalog
    from img.application.transfer.find_image import FindImage
    from img.application.usecases.check_store import CheckStore
    from img.application.usecases.disk_usage import DiskUsage
    from img.application.usecases.prune import KeepTidy, Prune
    from img.application.usecases.prune_images import PruneImages
    from img.application.usecases.remove import RemoveImage


class Housekeeping(containers.DeclarativeContainer):
    """Made of the adapters of the container around it."""

    config = providers.Configuration(strict=True)
    images: providers.Provider[ImageStore] = providers.Dependency()
    blobs: providers.Provider[BlobStore] = providers.Dependency()
    cache: providers.Provider[CacheStore] = providers.Dependency()
    origins: providers.Provider[BlobOrigins] = providers.Dependency()
    indexes: providers.Provider[IndexStore] = providers.Dependency()
    snapshotters: providers.Provider[list[Snapshotter]] = providers.Dependency()
    mounts: providers.Provider[CacheMounts] = providers.Dependency()
    views: providers.Provider[ContextViews] = providers.Dependency()
    lock: providers.Provider[StateLock] = providers.Dependency()
    catalog: providers.Provider[Catalog] = providers.Dependency()
    find: providers.Provider[FindImage] = providers.Dependency()
    archive: providers.Provider[LayerArchive] = providers.Dependency()
    registry: providers.Provider[Registry] = providers.Dependency()
    transfer: providers.Provider[Transfer] = providers.Dependency()
    compact: providers.Provider[Callable[[], object]] = providers.Dependency()
    digests: providers.Provider[FileDigestStore] = providers.Dependency()

    trash: providers.Provider[BlobTrash] = providers.Singleton(make.trash, blobs, lock)
    space: providers.Provider[StateSpace] = providers.Singleton(
        make.state_space, config.state, config.snapshots, config.other_snapshots
    )
    inventory = providers.Factory(
        later("img.application.housekeeping.inventory.Inventory"),
        images=images,
        blobs=blobs,
        trash=trash,
        cache=cache,
        indexes=indexes,
        snapshotters=snapshotters,
        mounts=mounts,
        views=views,
        space=space,
        lock=lock,
        catalog=catalog,
    )
    collect = providers.Factory(
        later("img.application.housekeeping.collect.Collect"), inventory=inventory, origins=origins
    )
    disk_usage: providers.Provider[DiskUsage] = providers.Factory(
        later("img.application.usecases.disk_usage.DiskUsage"), inventory=inventory
    )
    prune: providers.Provider[Prune] = providers.Factory(
        later("img.application.usecases.prune.Prune"),
        images=images,
        collect=collect,
        digests=digests,
        compact=compact,
    )
    keep_tidy: providers.Provider[KeepTidy] = providers.Factory(
        later("img.application.usecases.prune.KeepTidy"), collect=collect, cap=config.max_cache
    )
    remove_image: providers.Provider[RemoveImage] = providers.Factory(
        later("img.application.usecases.remove.RemoveImage"),
        images=images,
        find=find,
        collect=collect,
    )
    prune_images: providers.Provider[PruneImages] = providers.Factory(
        later("img.application.usecases.prune_images.PruneImages"),
        images=images,
        list_images=providers.Factory(
            later("img.application.usecases.list_images.ListImages"),
            images=images,
            catalog=catalog,
            find=find,
        ),
        collect=collect,
    )
    check_store: providers.Provider[CheckStore] = providers.Factory(
        later("img.application.usecases.check_store.CheckStore"),
        inventory=inventory,
        archive=archive,
        registry=registry,
        transfer=transfer,
    )
