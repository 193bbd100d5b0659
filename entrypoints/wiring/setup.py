"""The choices of one run, from which containers are made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from img.domain.dataclass import dataclass
from img.entrypoints.rootless import BuildHost
from img.entrypoints.settings import Settings

if TYPE_CHECKING:
    from img.adapters.storage.trace_recorder import TraceRecorder


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """The settings, the host, and the paths and choices that follow from both."""

    settings: Settings
    host: BuildHost
    snapshotter: str  # the one that settings and the executor allow
    recorder: TraceRecorder | None = None  # of a build that may leave a trace

    @property
    def records(self) -> str:
        """The place of origins, indexes and cache records: memory for another user's state."""
        return "memory" if self.settings.foreign else "state"

    @property
    def step_place(self) -> str:
        """The place where steps run."""
        return "here" if self.settings.cluster is None else "cluster"

    @property
    def policy_choice(self) -> str:
        """The policies on sources and results: none, or those that are given."""
        return "none" if self.settings.policies is None else "given"

    @property
    def progress(self) -> str:
        """The progress display."""
        silent = self.settings.quiet or self.settings.on_event is not None
        return "quiet" if silent else self.settings.progress

    @property
    def database(self) -> Path:
        """The SQLite database of the state."""
        return self.settings.state / "state.db"

    @property
    def layout(self) -> Path:
        """The OCI layout that replaces blobs and names with IMG_STORE=oci-layout."""
        return self.settings.state / "layout"

    @property
    def temporary(self) -> Path:
        """The directory of temporary files."""
        return self.settings.state / "tmp"

    @property
    def snapshots(self) -> Path:
        """The directory of snapshots with owners that suit this process."""
        return self._snapshots_of(self.host.ids)

    @property
    def other_snapshots(self) -> list[Path]:
        """The directories of snapshots with other owners: of no use here, but removable."""
        return [self._snapshots_of(ids) for ids in self.host.other_ids]

    @property
    def cache_mounts(self) -> Path:
        """The directory of RUN --mount=type=cache."""
        return self._cache_mounts_of(self.host.ids)

    @property
    def other_cache_mounts(self) -> list[Path]:
        """The directories of cache mounts with other owners."""
        return [self._cache_mounts_of(ids) for ids in self.host.other_ids]

    def _snapshots_of(self, ids: str) -> Path:
        from img.adapters.linux.boot import boot_name  # most commands use no snapshots

        # Snapshots are not synced to disk, so those of an earlier boot are not used.
        return self.settings.state / "snapshots" / ids / boot_name()

    def _cache_mounts_of(self, ids: str) -> Path:
        return self.settings.state / "mounts" / ids


OWN_EXECUTORS = ("auto", "unshare", "runc", "crun", "chroot", "proot")


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnAdapters:
    """The adapters of img for a port that other packages may have adapters for as well."""

    choice: Callable[[Settings], str]
    names: tuple[str, ...]
    title: str  # in messages


_STORES = ("files", "memory", "oci-layout")
# By entry point group, without "img.".
OWN_ADAPTERS = {
    "blob_store": OwnAdapters(
        choice=lambda settings: settings.store, names=_STORES, title="blob store"
    ),
    "image_store": OwnAdapters(
        choice=lambda settings: settings.store, names=_STORES, title="image store"
    ),
    "snapshotter": OwnAdapters(
        choice=lambda settings: settings.snapshotter,
        names=("auto", "overlay", "naive", "fuse"),
        title="snapshots backend",
    ),
    "executor": OwnAdapters(
        choice=lambda settings: settings.executor,
        names=("scripted", *OWN_EXECUTORS),
        title="executor",
    ),
    "registry": OwnAdapters(
        choice=lambda settings: settings.registry, names=("oras",), title="registry client"
    ),
    "credential_store": OwnAdapters(
        choice=lambda settings: settings.credentials, names=("docker",), title="credential store"
    ),
    "progress_sink": OwnAdapters(
        choice=lambda settings: settings.progress,
        names=("plain", "tty", "quiet", "rawjson"),
        title="progress display",
    ),
}
