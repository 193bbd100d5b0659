"""Wiring of garbage collection, disk usage and checks of the state."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from img.entrypoints.lazy import lazy_imports
from img.entrypoints.wiring.injection import Wiring, attributes_of, providers
from img.entrypoints.wiring.setup import Setup

with lazy_imports(__name__):
    from img.adapters.report_writer.html import HtmlReports
    from img.adapters.state_space.files import FileStateSpace
    from img.application.housekeeping.collect import Collect
    from img.application.housekeeping.direct_trash import DirectTrash
    from img.application.housekeeping.inventory import Inventory
    from img.application.usecases.check_store import CheckStore
    from img.application.usecases.copy_out import CopyOut
    from img.application.usecases.disk_usage import DiskUsage
    from img.application.usecases.explain_build import ExplainBuild
    from img.application.usecases.prune import KeepTidy, Prune
    from img.application.usecases.prune_images import PruneImages
    from img.application.usecases.read_history import ReadHistory
    from img.application.usecases.remove import RemoveImage
    from img.application.usecases.report_build import ReportBuild
    from img.application.usecases.report_images import ReportImages

if TYPE_CHECKING:
    from img.application.ports.blob_store import BlobStore, BlobTrash
    from img.application.ports.state_lock import StateLock
    from img.entrypoints.wiring.execution import Execution
    from img.entrypoints.wiring.images import Images
    from img.entrypoints.wiring.registries import Registries
    from img.entrypoints.wiring.storage import Storage
    from img.entrypoints.wiring.system import System


def _trash(blobs: BlobStore, lock: StateLock) -> BlobTrash:
    """Return the trash of ``blobs``: the store itself if it has one."""
    from img.application.ports.blob_store import BlobTrash  # isinstance needs the class

    return blobs if isinstance(blobs, BlobTrash) else DirectTrash(blobs, lock)


def _tidy_after_build(setup: Setup, keep_tidy: Callable[[], KeepTidy]) -> Callable[..., None]:
    """Return a function that tidies the state; before that, the trace of the build ends."""

    def tidy(*, grown: bool = True) -> None:
        if setup.recorder is not None:
            if grown:
                setup.recorder.stop("there are new results")
            setup.recorder.end()
        keep_tidy()(grown=grown)

    return tidy


class Housekeeping(Wiring):
    """The use cases that look at, and remove from, all of the state."""

    def __init__(
        self,
        setup: Setup,
        system: System,
        storage: Storage,
        registries: Registries,
        images: Images,
        execution: Execution,
    ) -> None:
        super().__init__()
        given = attributes_of(setup)
        self.space = providers.Singleton(
            FileStateSpace, given.settings.state, given.snapshots, given.other_snapshots
        )
        self.inventory = providers.Factory(
            Inventory,
            images=storage.images,
            blobs=storage.blobs,
            trash=providers.Singleton(_trash, storage.blobs, storage.lock),
            cache=storage.cache,
            indexes=storage.indexes,
            snapshotters=execution.snapshotters,
            mounts=execution.cache_mounts,
            views=execution.context_views,
            space=self.space,
            lock=storage.lock,
            catalog=images.catalog,
            history=system.history,
        )
        self.collect = providers.Factory(Collect, inventory=self.inventory, origins=storage.origins)
        self.disk_usage = providers.Factory(DiskUsage, inventory=self.inventory)
        self.prune = providers.Factory(
            Prune,
            referrers=images.stored_referrers,
            images=storage.images,
            collect=self.collect,
            digests=storage.file_digests,
            compact=storage.database.provided.compact,
        )
        self.keep_tidy = providers.Factory(
            KeepTidy, collect=self.collect, cap=given.settings.max_cache
        )
        self.tidy_after_build = providers.Factory(_tidy_after_build, setup, self.keep_tidy.provider)
        self.remove_image = providers.Factory(
            RemoveImage,
            images=storage.images,
            find=images.find,
            referrers=images.stored_referrers,
            collect=self.collect,
        )
        self.prune_images = providers.Factory(
            PruneImages,
            images=storage.images,
            list_images=images.list_images,
            collect=self.collect,
        )
        self.read_history = providers.Factory(ReadHistory, history=system.history)
        self.explain_build = providers.Factory(
            ExplainBuild, read=self.read_history, indexes=storage.indexes
        )
        self.report_build = providers.Factory(
            ReportBuild,
            read=self.read_history,
            explain=self.explain_build,
            images=providers.Factory(
                ReportImages, explore=images.explore_image, indexes=storage.indexes
            ),
        )
        self.report_writer = providers.Factory(HtmlReports)
        self.copy_out = providers.Factory(
            CopyOut,
            history=self.read_history,
            find=images.find,
            catalog=images.catalog,
            files=images.write_files,
            lock=storage.lock,
        )
        self.check_store = providers.Factory(
            CheckStore,
            inventory=self.inventory,
            archive=storage.archive,
            registry=registries.registry,
            transfer=images.transfer,
        )
