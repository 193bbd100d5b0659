"""Wiring of the use cases of single steps: on the worker of a cluster, or in a shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from img.entrypoints.lazy import lazy, lazy_imports
from img.entrypoints.wiring.injection import Wiring, providers

with lazy_imports(__name__):
    from img.application.layers.recorded_store import ReachRecordedStore
    from img.application.solver.share_mounts import ShareMounts
    from img.application.usecases.debug_step import DebugStep
    from img.application.usecases.solve_task import SolveTask

if TYPE_CHECKING:
    from img.entrypoints.wiring.building import Building
    from img.entrypoints.wiring.execution import Execution
    from img.entrypoints.wiring.images import Images
    from img.entrypoints.wiring.storage import Storage


class Steps(Wiring):
    """``img worker`` and ``img debug``, and the files of recorded steps."""

    def __init__(
        self, storage: Storage, images: Images, execution: Execution, building: Building
    ) -> None:
        super().__init__()
        self.solve_task = providers.Factory(
            SolveTask,
            solver=building.solver,
            share=images.share_layers,
            layers=images.layers,
            origins=storage.origins,
            lock=storage.lock,
            mounts=providers.Factory(
                lazy(ShareMounts),
                caches=execution.cache_mounts,
                archive=storage.archive,
                blobs=storage.blobs,
                indexes=storage.indexes,
                layers=images.layers,
                records=images.mount_records,
            ),
        )
        self.reach_recorded_store = providers.Factory(
            lazy(ReachRecordedStore), images.share_layers.provider
        )
        self.debug_step = providers.Factory(
            DebugStep,
            execute=building.execute,
            contexts=storage.local_contexts,
            volumes=execution.volumes,
            reach=self.reach_recorded_store,
        )
