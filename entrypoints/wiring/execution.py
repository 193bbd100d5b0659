"""Wiring of snapshots and executors: all that RUN needs."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from img.entrypoints.lazy import lazy, lazy_imports
from img.entrypoints.wiring.injection import (
    Wiring,
    attributes_of,
    providers,
    select,
)
from img.entrypoints.wiring.setup import OWN_EXECUTORS, Setup

with lazy_imports(__name__):
    from img.adapters.cache_mounts.directories import DirectoryCacheMounts
    from img.adapters.context_views.directories import DirectoryContextViews
    from img.adapters.control_groups.linux import LinuxControlGroups
    from img.adapters.executor.scripted import ScriptedExecutor
    from img.adapters.host_volumes.local import LocalVolumes
    from img.adapters.secret_source.local import LocalSecrets
    from img.adapters.snapshotter.auto import AutoSnapshotter
    from img.adapters.snapshotter.fuse import FuseSnapshotter
    from img.adapters.snapshotter.naive import NaiveSnapshotter
    from img.adapters.snapshotter.overlay import OverlaySnapshotter
    from img.application.solver.announce import AnnouncedExecutor
    from img.application.solver.entitled import EntitledExecutor
    from img.application.solver.limited import LimitedExecutor
    from img.application.solver.resolving import ResolvingExecutor
    from img.application.solver.steps.fetch_git import HostSecrets
    from img.application.solver.trusting import TrustingExecutor
    from img.entrypoints.wiring.certificates import injected_certificates

if TYPE_CHECKING:
    from img.adapters.storage.ownership import Ownership
    from img.application.ports.control_groups import ControlGroups
    from img.application.ports.executor import Executor
    from img.application.ports.layer_archive import LayerArchive
    from img.application.ports.progress_sink import ProgressSink
    from img.application.ports.snapshotter import Snapshotter
    from img.entrypoints.wiring.storage import Storage
    from img.entrypoints.wiring.system import System


_MOUNTING = frozenset({"unshare", "runc", "crun"})  # their steps cannot write to a read-only mount
_WARNINGS = {
    "fuse": "fuse-overlayfs is no exact overlay: set-group-ID directories, hard links and times of"
    " directories may come out otherwise; use --backend auto where layers have to be the same",
}


def _overlay(root: Path, archive: LayerArchive, ownership: Ownership) -> Snapshotter:
    return OverlaySnapshotter(root / "overlay", archive, ownership)


def _naive(root: Path, archive: LayerArchive, ownership: Ownership) -> Snapshotter:
    return NaiveSnapshotter(root / "naive", archive, ownership)


def _fuse(root: Path, archive: LayerArchive, ownership: Ownership) -> Snapshotter:
    return FuseSnapshotter(root / "fuse", archive, ownership)


def _auto(
    root: Path, overlay: Callable[[], Snapshotter], naive: Callable[[], Snapshotter]
) -> Snapshotter:
    return AutoSnapshotter(root / "overlay", overlay, naive)


def _all_snapshotters(
    chosen: Snapshotter,
    root: Path,
    own: Mapping[str, Snapshotter],
    others: Sequence[Path],
    archive: LayerArchive,
    ownership: Ownership,
) -> list[Snapshotter]:
    """Return the snapshotters that have files: of img's ``own`` at ``root``, and at ``others``.

    A ``chosen`` one of another package is the first of them.
    """
    from img.adapters.snapshotter.auto import AutoSnapshotter  # isinstance needs the class

    kinds = {"overlay": _overlay, "naive": _naive, "fuse": _fuse}
    is_own = isinstance(chosen, AutoSnapshotter) or any(chosen is each for each in own.values())
    return [
        *([] if is_own else [chosen]),
        *(each for name, each in own.items() if os.path.isdir(root / name)),
        *(
            make(other, archive, ownership)
            for other in others
            for name, make in kinds.items()
            if os.path.isdir(other / name)  # False where this user may not search the directory
        ),
    ]


def _own_executor(setup: Setup) -> Executor:
    return setup.host.executor(setup.settings.emulate)


def _announced(
    setup: Setup, executor: Executor, progress: ProgressSink, snapshotter: Snapshotter
) -> AnnouncedExecutor:
    if setup.settings.userns:
        executor = EntitledExecutor(executor)
    surroundings = setup.settings.surroundings
    if surroundings.resolver is not None:
        executor = ResolvingExecutor(executor, surroundings.resolver)
    if surroundings.inject_ca:
        executor = TrustingExecutor(executor, injected_certificates(surroundings.inject_ca))
    groups: ControlGroups | None = None
    if setup.settings.resources.options:
        groups = LinuxControlGroups(setup.settings.resources)
        executor = LimitedExecutor(executor, groups)
    name, reason = setup.settings.executor, ""
    if name in OWN_EXECUTORS:
        name, reason = setup.host.executor_and_reason(setup.settings.emulate)

    def describe() -> str:
        if not name:
            return f"no executor, so RUN is not possible; {reason}"
        chosen = getattr(snapshotter, "chosen", setup.snapshotter)
        reasons = [text for text in (reason, getattr(snapshotter, "obstacle", "")) if text]
        return "; ".join([f"executor {name}, snapshots {chosen}", *reasons])

    def warnings() -> tuple[str, ...]:
        unheld = groups.shortcomings() if groups else ()
        own = (_WARNINGS[word] for word in (name, setup.snapshotter) if word in _WARNINGS)
        return (*own, *unheld)

    return AnnouncedExecutor(executor, progress, describe, warnings)


def _context_views(setup: Setup, archive: LayerArchive) -> DirectoryContextViews:
    return DirectoryContextViews(
        setup.snapshots / "contexts",
        archive,
        sharing=setup.host.executor_name in _MOUNTING,
        others=[other / "contexts" for other in setup.other_snapshots],
    )


def _host_secrets(setup: Setup) -> HostSecrets | None:
    """Return the secrets for git repositories of one host, None if there are none."""
    access = setup.settings.git_access
    if access is None:
        return None
    return HostSecrets(access.host, LocalSecrets(access.secrets, access.agents))


class Execution(Wiring):
    """Root file systems, the executor, and the mounts of RUN."""

    def __init__(self, setup: Setup, system: System, storage: Storage) -> None:
        super().__init__()
        given = attributes_of(setup)
        self.overlay = providers.Singleton(
            lazy(_overlay), given.snapshots, storage.archive, system.ownership
        )
        self.naive = providers.Singleton(
            lazy(_naive), given.snapshots, storage.archive, system.ownership
        )
        self.fuse = providers.Singleton(
            lazy(_fuse), given.snapshots, storage.archive, system.ownership
        )
        self.snapshotter: providers.Provider[Snapshotter] = select(
            given.snapshotter,
            auto=providers.Singleton(
                _auto, given.snapshots, self.overlay.provider, self.naive.provider
            ),
            overlay=self.overlay,
            naive=self.naive,
            fuse=self.fuse,
        )
        self.snapshotters = providers.Singleton(
            _all_snapshotters,
            self.snapshotter,
            given.snapshots,
            providers.Dict(overlay=self.overlay, naive=self.naive, fuse=self.fuse),
            given.other_snapshots,
            storage.archive,
            system.ownership,
        )
        self.executor: providers.Provider[Executor] = select(
            given.settings.executor,
            scripted=providers.Singleton(ScriptedExecutor),
            **dict.fromkeys(OWN_EXECUTORS, providers.Singleton(lazy(_own_executor), setup)),
        )
        self.announced = providers.Singleton(
            _announced, setup, self.executor, system.progress, self.snapshotter
        )
        self.secrets = providers.Singleton(
            lazy(LocalSecrets),
            given.settings.secrets,
            given.settings.agents,
            ownership=system.ownership,
        )
        self.host_secrets = providers.Factory(_host_secrets, setup)
        self.context_views = providers.Singleton(lazy(_context_views), setup, storage.archive)
        self.volumes = providers.Singleton(lazy(LocalVolumes))
        self.cache_mounts = providers.Singleton(
            lazy(DirectoryCacheMounts),
            given.cache_mounts,
            system.ownership,
            given.other_cache_mounts,
        )
