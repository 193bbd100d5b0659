"""Wiring of garbage collection, disk usage and checks of the state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from img.entrypoints.wiring.injection import Wiring, attributes_of, needs, providers
from img.entrypoints.wiring.lazy import lazy_imports
from img.entrypoints.wiring.setup import Setup

with lazy_imports(__name__):
    from img.adapters.state_space.files import FileStateSpace
    from img.application.housekeeping.collect import Collect
    from img.application.housekeeping.direct_trash import DirectTrash
    from img.application.housekeeping.inventory import Inventory
    from img.application.usecases.check_store import CheckStore
    from img.application.usecases.disk_usage import DiskUsage
    from img.application.usecases.prune import KeepTidy, Prune
    from img.application.usecases.prune_images import PruneImages
    from img.application.usecases.remove import RemoveImage

if TYPE_CHECKING:
    from img.application.ports.blob_store import BlobStore, BlobTrash
    from img.application.ports.state_lock import StateLock
    from img.entrypoints.wiring.execution import Execution
    from img.entrypoints.wiring.images import Images
    from img.entrypoints.wiring.registries import Registries
    from img.entrypoints.wiring.storage import Storage


def _trash(blobs: BlobStore, lock: StateLock) -> BlobTrash:
    """Return the trash of ``blobs``: the store itself if it has one."""
    from img.application.ports.blob_store import BlobTrash  # isinstance needs the class

    return blobs if isinstance(blobs, BlobTrash) else DirectTrash(blobs, lock)


class Housekeeping(Wiring):
    """The use cases that look at, and remove from, all of the state."""

    setup = providers.Dependency(instance_of=Setup)
    given = attributes_of(setup)
    storage: Storage = needs()
    registries: Registries = needs()
    images: Images = needs()
    execution: Execution = needs()

    space = providers.Singleton(
        FileStateSpace, given.settings.state, given.snapshots, given.other_snapshots
    )
    inventory = providers.Factory(
        Inventory,
        images=storage.images,
        blobs=storage.blobs,
        trash=providers.Singleton(_trash, storage.blobs, storage.lock),
        cache=storage.cache,
        indexes=storage.indexes,
        snapshotters=execution.snapshotters,
        mounts=execution.cache_mounts,
        views=execution.context_views,
        space=space,
        lock=storage.lock,
        catalog=images.catalog,
    )
    collect = providers.Factory(Collect, inventory=inventory, origins=storage.origins)
    disk_usage = providers.Factory(DiskUsage, inventory=inventory)
    prune = providers.Factory(
        Prune,
        images=storage.images,
        collect=collect,
        digests=storage.file_digests,
        compact=storage.database.provided.compact,
    )
    keep_tidy = providers.Factory(KeepTidy, collect=collect, cap=given.settings.max_cache)
    remove_image = providers.Factory(
        RemoveImage, images=storage.images, find=images.find, collect=collect
    )
    prune_images = providers.Factory(
        PruneImages,
        images=storage.images,
        list_images=images.list_images,
        collect=collect,
    )
    check_store = providers.Factory(
        CheckStore,
        inventory=inventory,
        archive=storage.archive,
        registry=registries.registry,
        transfer=images.transfer,
    )
