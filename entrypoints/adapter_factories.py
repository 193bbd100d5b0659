"""Makes adapters, each when it is first asked for.

Every function imports its adapter itself, so that a command pays for what it uses.
"""

from __future__ import annotations  # so that types are not imported

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from img.adapters.storage.ownership import Ownership
    from img.adapters.storage.sqlite import Database
    from img.application.ports.blob_origins import BlobOrigins
    from img.application.ports.blob_store import BlobStore, BlobTrash
    from img.application.ports.build_context import BuildContext, ContextSource
    from img.application.ports.cache_mounts import CacheMounts
    from img.application.ports.cache_store import CacheStore
    from img.application.ports.clock import Clock
    from img.application.ports.context_views import ContextViews
    from img.application.ports.control_groups import ControlGroups
    from img.application.ports.dockerfile_parser import DockerfileParser
    from img.application.ports.executor import Executor
    from img.application.ports.exporter import Exporter, LayoutExporter
    from img.application.ports.file_digest_store import FileDigestStore
    from img.application.ports.foreign_programs import ForeignPrograms
    from img.application.ports.git import GitRepositories
    from img.application.ports.host_survey import HostSurvey
    from img.application.ports.image_layout import ImageLayouts, LayoutWriter
    from img.application.ports.image_store import ImageStore
    from img.application.ports.importer import Importer
    from img.application.ports.index_store import IndexStore
    from img.application.ports.layer_archive import LayerArchive
    from img.application.ports.output_files import OutputFiles
    from img.application.ports.progress_sink import ProgressSink
    from img.application.ports.scratch_space import ScratchSpace
    from img.application.ports.secret_source import SecretSource
    from img.application.ports.snapshotter import Snapshotter
    from img.application.ports.state_lock import StateLock
    from img.application.ports.state_space import StateSpace
    from img.application.ports.web import WebFetcher
    from img.application.solver.announce import AnnouncedExecutor
    from img.domain.options.secrets import AgentSpec, SecretSpec
    from img.domain.platform import Platform
    from img.domain.resources import Resources
    from img.entrypoints.rootless import BuildHost


_MOUNTING = frozenset({"unshare", "runc", "crun"})  # executors whose steps cannot write to a mount
OWN_EXECUTORS = ("auto", "unshare", "runc", "crun", "chroot", "proot")
_WARNINGS = {
    "fuse": "fuse-overlayfs is no exact overlay: set-group-ID directories, hard links and times of"
    " directories may come out otherwise; use --backend auto where layers have to be the same",
}


def is_foreign_state(state: Path) -> bool:
    """Verify the state, and tell whether it is another user's who shares images in it.

    ``$IMG_STATE_TRUSTED`` vouches for its mode and its parents'. Raises StateNotSafe, StateError.
    """
    from img.adapters.storage.state_directory import StateAccess, open_state

    trusted = os.environ.get("IMG_STATE_TRUSTED", "") not in ("", "0", "false")
    return open_state(str(state), trusted=trusted) is StateAccess.FOREIGN


def database(state: Path) -> Database:
    from img.adapters.storage.sqlite import Database

    return Database(state / "state.db")


def file_blobs(state: Path) -> BlobStore:
    from img.adapters.blob_store.files import FileBlobStore

    return FileBlobStore(state)


def layout_blobs(state: Path) -> BlobStore:
    from img.adapters.blob_store.oci_layout import OciLayoutBlobStore

    return OciLayoutBlobStore(state / "layout")


def memory_blobs() -> BlobStore:
    from img.adapters.blob_store.memory import MemoryBlobStore

    return MemoryBlobStore()


def trash(blobs: BlobStore, lock: StateLock) -> BlobTrash:
    """Return what lets go of blobs: the store itself where it can."""
    from img.application.housekeeping.direct_trash import DirectTrash
    from img.application.ports.blob_store import BlobTrash

    return blobs if isinstance(blobs, BlobTrash) else DirectTrash(blobs, lock)


def sqlite_images(database: Database) -> ImageStore:
    from img.adapters.image_store.sqlite import SqliteImageStore

    return SqliteImageStore(database)


def layout_images(state: Path) -> ImageStore:
    from img.adapters.image_store.oci_layout import OciLayoutImageStore

    return OciLayoutImageStore(state / "layout")


def memory_images() -> ImageStore:
    from img.adapters.image_store.memory import MemoryImageStore

    return MemoryImageStore()


def sqlite_origins(database: Database) -> BlobOrigins:
    from img.adapters.blob_origins.sqlite import SqliteBlobOrigins

    return SqliteBlobOrigins(database)


def memory_origins() -> BlobOrigins:
    from img.adapters.blob_origins.memory import MemoryBlobOrigins

    return MemoryBlobOrigins()


def memory_indexes() -> IndexStore:
    from img.adapters.index_store.memory import MemoryIndexStore

    return MemoryIndexStore()


def memory_cache() -> CacheStore:
    from img.adapters.cache_store.memory import MemoryCacheStore

    return MemoryCacheStore()


def memory_digests() -> FileDigestStore:
    from img.adapters.file_digest_store.memory import MemoryFileDigestStore

    return MemoryFileDigestStore()


def file_indexes(state: Path) -> IndexStore:
    from img.adapters.index_store.files import FileIndexStore

    return FileIndexStore(state)


def cache_variant(host: BuildHost, emulate: str, snapshotter: str) -> str:
    """Return what tells a build's results from those of all others, "" if nothing does."""
    return host.departure(emulate) + ("--backend=fuse" if snapshotter == "fuse" else "")


def sqlite_cache(database: Database, variant: str) -> CacheStore:
    from img.adapters.cache_store.sqlite import SqliteCacheStore

    store = SqliteCacheStore(database)
    if not variant:
        return store
    from img.adapters.cache_store.namespaced import ApartCacheStore

    return ApartCacheStore(store, variant)


def sqlite_digests(database: Database) -> FileDigestStore:
    from img.adapters.file_digest_store.sqlite import SqliteFileDigestStore

    return SqliteFileDigestStore(database)


def ownership(host: BuildHost) -> Ownership:
    return host.ownership()


def tar_archive(ownership: Ownership) -> LayerArchive:
    from img.adapters.layer_archive.tar import TarLayerArchive

    return TarLayerArchive(ownership)


def parser() -> DockerfileParser:
    from img.adapters.dockerfile_parser.dockerfile_parse import DockerfileParseParser

    return DockerfileParseParser()


def local_contexts(
    known: FileDigestStore, archive: LayerArchive, scratch: ScratchSpace
) -> ContextSource:
    from img.adapters.build_context.local import LocalContexts

    return LocalContexts(known, archive, scratch)


def git(state: Path) -> GitRepositories:
    from img.adapters.build_context.directory import DirectoryContext
    from img.adapters.file_digest_store.memory import MemoryFileDigestStore
    from img.adapters.git.program import GitProgram

    def open_directory(path: Path) -> BuildContext:
        return DirectoryContext(path, known=MemoryFileDigestStore())

    return GitProgram(state / "tmp", open_directory)


def web() -> WebFetcher:
    from img.adapters.web.requests import RequestsWebFetcher

    return RequestsWebFetcher()


def directory_layouts() -> ImageLayouts:
    from img.adapters.image_layout.directory import DirectoryLayouts

    return DirectoryLayouts()


def layout_writer() -> LayoutWriter:
    from img.adapters.blob_store.oci_layout import OciLayoutBlobStore
    from img.adapters.image_layout.writer import DirectoryLayoutWriter

    return DirectoryLayoutWriter(partial(OciLayoutBlobStore, marks=False))


def snapshots_of(state: Path, host: BuildHost) -> Path:
    """Return where snapshots are, which are not synced: after a start of the machine elsewhere."""
    from img.adapters.linux.boot import boot_name

    return state / "snapshots" / host.ids / boot_name()


def other_snapshots_of(state: Path, host: BuildHost) -> list[Path]:
    """Return where snapshots with other ids are, which are to be removed and of no other use."""
    from img.adapters.linux.boot import boot_name

    return [state / "snapshots" / ids / boot_name() for ids in host.other_ids]


def overlay(root: Path, archive: LayerArchive, ownership: Ownership) -> Snapshotter:
    from img.adapters.snapshotter.overlay import OverlaySnapshotter

    return OverlaySnapshotter(root / "overlay", archive, ownership)


def naive(root: Path, archive: LayerArchive, ownership: Ownership) -> Snapshotter:
    from img.adapters.snapshotter.naive import NaiveSnapshotter

    return NaiveSnapshotter(root / "naive", archive, ownership)


def fuse(root: Path, archive: LayerArchive, ownership: Ownership) -> Snapshotter:
    from img.adapters.snapshotter.fuse import FuseSnapshotter

    return FuseSnapshotter(root / "fuse", archive, ownership)


def auto(
    root: Path, overlay: Callable[[], Snapshotter], naive: Callable[[], Snapshotter]
) -> Snapshotter:
    from img.adapters.snapshotter.auto import AutoSnapshotter

    return AutoSnapshotter(root / "overlay", overlay, naive)


def every(
    chosen: Snapshotter,
    root: Path,
    own: Mapping[str, Snapshotter],
    others: Sequence[Path],
    archive: LayerArchive,
    ownership: Ownership,
) -> list[Snapshotter]:
    """Return those that have snapshots now: of img's ``own`` at ``root``, and at ``others``.

    And what is ``chosen``, unless it only chooses among img's own.
    """
    from img.adapters.snapshotter.auto import AutoSnapshotter

    kinds = {"overlay": overlay, "naive": naive, "fuse": fuse}
    is_own = isinstance(chosen, AutoSnapshotter) or any(chosen is each for each in own.values())
    return [
        *([] if is_own else [chosen]),
        *(each for name, each in own.items() if os.path.isdir(root / name)),
        *(
            make(other, archive, ownership)
            for other in others
            for name, make in kinds.items()
            if os.path.isdir(other / name)  # no, where another user's may not be looked into
        ),
    ]


def state_space(state: Path, snapshots: Path, others: Sequence[Path]) -> StateSpace:
    from img.adapters.state_space.files import FileStateSpace

    return FileStateSpace(state, snapshots, others)


def of_host(host: BuildHost, emulate: str) -> Executor:
    return host.executor(emulate)


def announced(
    executor: Executor,
    progress: ProgressSink,
    snapshotter: Snapshotter,
    runs_by: tuple[str, ...],
    resources: Resources,
    userns: bool,
) -> AnnouncedExecutor:
    from img.application.solver.announce import AnnouncedExecutor

    if userns:
        from img.application.solver.entitled import EntitledExecutor

        executor = EntitledExecutor(executor)

    groups: ControlGroups | None = None
    if resources.options:
        from img.adapters.control_groups.linux import LinuxControlGroups
        from img.application.solver.limited import LimitedExecutor

        groups = LinuxControlGroups(resources)
        executor = LimitedExecutor(executor, groups)

    name, reason, snapshots = runs_by

    def describe() -> str:
        if not name:
            return f"no executor, so RUN is not possible; {reason}"
        chosen = getattr(snapshotter, "chosen", snapshots)
        reasons = [text for text in (reason, getattr(snapshotter, "obstacle", "")) if text]
        return "; ".join([f"executor {name}, snapshots {chosen}", *reasons])

    def warnings() -> tuple[str, ...]:
        unheld = groups.shortcomings() if groups else ()
        own = (_WARNINGS[word] for word in (name, snapshots) if word in _WARNINGS)
        return (*own, *unheld)

    return AnnouncedExecutor(executor, progress, describe, warnings)


def scripted() -> Executor:
    from img.adapters.executor.scripted import ScriptedExecutor

    return ScriptedExecutor()


def plain() -> ProgressSink:
    import sys

    from img.adapters.progress_sink.plain import PlainProgress

    return PlainProgress(sys.stderr)


def terminal() -> ProgressSink:
    import sys

    from img.adapters.progress_sink.terminal import TerminalProgress

    return TerminalProgress(sys.stderr)


def rawjson() -> ProgressSink:
    import sys

    from img.adapters.progress_sink.rawjson import RawJsonProgress

    return RawJsonProgress(sys.stderr)


def quiet() -> ProgressSink:
    from img.adapters.progress_sink.silent import SilentProgress

    return SilentProgress()


def exporters(blobs: BlobStore) -> Mapping[str, Exporter]:
    from img.adapters.exporter.docker_archive import DockerArchiveExporter
    from img.adapters.exporter.oci_archive import OciArchiveExporter
    from img.adapters.layer_archive.compression import decompressed

    return {
        "docker": DockerArchiveExporter(blobs, decompressed),
        "oci": OciArchiveExporter(blobs),
    }


def layout_exporter(blobs: BlobStore) -> LayoutExporter:
    from img.adapters.exporter.oci_layout import OciLayoutExporter

    return OciLayoutExporter(blobs)


def output_files() -> OutputFiles:
    import sys

    from img.adapters.output_files.local import LocalOutputFiles

    return LocalOutputFiles(sys.stdout.buffer)


def importer(blobs: BlobStore, host: Platform) -> Importer:
    from img.adapters.importer.archive import ArchiveImporter
    from img.adapters.layer_archive.compression import decompressed
    from img.adapters.layer_archive.tar import archive_members

    return ArchiveImporter(blobs, archive_members, decompressed, host)


def local_secrets(
    secrets: tuple[SecretSpec, ...], agents: tuple[AgentSpec, ...], ownership: Ownership
) -> SecretSource:
    from img.adapters.secret_source.local import LocalSecrets

    return LocalSecrets(secrets, agents, ownership=ownership)


def context_views(
    snapshots: Path, others: Sequence[Path], archive: LayerArchive, host: BuildHost
) -> ContextViews:
    from img.adapters.context_views.directories import DirectoryContextViews

    return DirectoryContextViews(
        snapshots / "contexts",
        archive,
        sharing=host.executor_name in _MOUNTING,
        others=[other / "contexts" for other in others],
    )


def cache_directories(root: Path, ownership: Ownership, others: Sequence[Path]) -> CacheMounts:
    from img.adapters.cache_mounts.directories import DirectoryCacheMounts

    return DirectoryCacheMounts(root, ownership, others)


def binfmt(host: Platform) -> ForeignPrograms:
    from img.adapters.foreign_programs.binfmt import BinfmtPrograms

    return BinfmtPrograms(host)


def linux_survey() -> HostSurvey:
    from img.adapters.host_survey.linux import LinuxSurvey

    return LinuxSurvey()


def clock() -> Clock:
    from img.adapters.clock.system import SystemClock

    return SystemClock()


def scratch(state: Path) -> ScratchSpace:
    from img.adapters.scratch_space.files import FileScratchSpace

    return FileScratchSpace(state / "tmp")


def scratch_elsewhere() -> ScratchSpace:
    import tempfile

    from img.adapters.scratch_space.files import FileScratchSpace

    return FileScratchSpace(Path(tempfile.gettempdir()))


def state_lock(state: Path) -> StateLock:
    from img.adapters.state_lock.file import FileStateLock

    return FileStateLock(state)
