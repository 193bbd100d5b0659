"""Root file systems as plain directories: they work everywhere, but need copies."""

import contextlib
import os
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from img.adapters.linux import capabilities
from img.adapters.snapshotter.attributes import digest_of, set_directory, set_times
from img.adapters.snapshotter.clone import CannotClone, Reflink, clone_tree
from img.adapters.snapshotter.overlay_layers import implied_by
from img.adapters.snapshotter.snapshot_walk import Walk
from img.adapters.storage.atomic_file import raise_state_error
from img.adapters.storage.file_entries import entry_of, open_file, xattr_names
from img.adapters.storage.own_files import make_directories
from img.adapters.storage.ownership import REAL, Ownership
from img.adapters.storage.reflink import reflink
from img.adapters.storage.work_directory import WorkDirectory, bytes_below, sweep
from img.application.ports.layer_archive import LayerArchive
from img.application.ports.snapshotter import (
    SnapshotFacts,
    SnapshotLayer,
    Snapshotter,
    Workspace,
)
from img.domain.digest import Digest
from img.domain.errors import BuildError
from img.domain.filesystem.changes import Found, changes_of
from img.domain.filesystem.entry import DIRECTORY, Entry
from img.domain.filesystem.file_index import FileIndex
from img.domain.filesystem.tree import FileTree
from img.domain.oci.chain import ChainID
from img.domain.process import DirectoryRoot

_UNPACKED = "unpacked"
_MOST_COPIES = 2  # of one stack; parallel stages make several, of which the next build needs few


class OwnerKeptOut(BuildError):
    """A directory that its owner may not read, write or enter."""

    def __init__(self) -> None:
        super().__init__(
            "a directory has a mode that keeps its owner out, and only root may pass that by",
            hint="give it u+rwx, or run img where it may make namespaces: see `img doctor`",
        )


class NaiveSnapshotter(Snapshotter):
    """One directory per stack, handed from step to step.

    ``root/roots/<algorithm>-<hex of the chain ID>.<random>`` holds a ``rootfs`` and the ``walk`` of
    it after the last step. A workspace moves the directory to ``root/work``, and commits it under
    another chain ID: a step costs two walks and no copy. A stack that is needed again is unpacked
    again; but on file systems that share blocks, the unpacked directory stays, with the file
    ``unpacked`` beside it, and steps get copies of it. Must run as root, or inside the user
    namespace of the state.
    """

    def __init__(
        self,
        root: Path,
        archive: LayerArchive,
        ownership: Ownership = REAL,
        reflink: Reflink = reflink,
    ) -> None:
        self._ownership = ownership
        self._root = os.path.abspath(root)
        self._roots = f"{self._root}/roots"
        self._archive = archive
        self._opening = threading.Lock()
        self._opened = False
        self._reflink: Reflink | None = reflink  # None after the file system has refused it
        self._cloning = threading.Lock()

    def prepare(self, layers: Sequence[SnapshotLayer], base: FileTree) -> "NaiveWorkspace":
        try:
            self._open()
            with self._cloning:
                directory, there = self._take(layers)
                if os.path.exists(f"{directory.path}/{_UNPACKED}"):
                    directory = self._copy_of(directory, layers[there - 1].chain_id)
            try:
                with _owner_access_errors():
                    walk = self._complete(directory, layers, there)
                if layers and there == 0:
                    directory, walk = self._keep(directory, walk, layers[-1].chain_id)
            except BaseException:
                directory.remove()
                raise
        except OSError as error:
            raise_state_error(error, self._root)
        _wait_for_clock(walk.newest)
        ownership = self._ownership.within(f"{directory.path}/rootfs")
        return NaiveWorkspace(directory, walk, self._roots, ownership)

    def chain_ids(self) -> Sequence[ChainID]:
        names = (name.partition(".")[0].partition("-") for name in self._names())
        return [ChainID(Digest(*pair)) for pair in sorted({(name[0], name[2]) for name in names})]

    def usage(self, chain_id: ChainID) -> int:
        prefix = f"{_name(chain_id)}."
        names = [name for name in self._names() if name.startswith(prefix)]
        return sum(bytes_below(f"{self._roots}/{name}") for name in names)

    def facts(self, chain_id: ChainID) -> SnapshotFacts:
        prefix = f"{_name(chain_id)}."
        roots = [f"{self._roots}/{name}" for name in self._names() if name.startswith(prefix)]
        noted = [(_recorded_size(root), os.stat(root).st_mtime) for root in roots]
        return SnapshotFacts(
            size=sum(size for size, _ in noted),
            used=max((used for _, used in noted), default=None),
        )

    def remove(self, chain_id: ChainID) -> None:
        try:
            while (directory := self._take_stack(chain_id)) is not None:
                directory.remove()
        except OSError as error:
            raise_state_error(error, self._root)

    def _keep(
        self, directory: WorkDirectory, walk: Walk, chain_id: ChainID
    ) -> tuple[WorkDirectory, Walk]:
        """Keep the unpacked directory if copies are cheap; return the directory for the step."""
        with open(f"{directory.path}/size", "w", encoding="ascii") as file:
            file.write(str(walk.room))
        copy = self._copy_of(directory, chain_id)
        return copy, walk if copy is directory else Walk.of(f"{copy.path}/rootfs")

    def _copy_of(self, directory: WorkDirectory, chain_id: ChainID) -> WorkDirectory:
        """Return a copy and release the original; return the original if it cannot be copied."""
        marker = f"{directory.path}/{_UNPACKED}"
        share = self._reflink  # another thread may set it to None meanwhile
        if share is not None:
            copy = WorkDirectory.create(f"{self._root}/work")
            source, target = f"{directory.path}/rootfs", f"{copy.path}/rootfs"
            try:
                clone_tree(source, target, self._ownership, share)
            except CannotClone:
                self._reflink = None
                copy.remove()
            except BaseException:
                copy.remove()
                raise
            else:
                Path(marker).touch()
                directory.move(f"{self._roots}/{_name(chain_id)}.{os.urandom(8).hex()}")
                directory.release()
                return copy
        with contextlib.suppress(FileNotFoundError):
            os.unlink(marker)
        return directory

    def _open(self) -> None:
        with self._opening:
            if not self._opened:
                make_directories(self._roots)
                make_directories(f"{self._root}/work")
                sweep(f"{self._root}/work")
                self._opened = True

    def _names(self) -> list[str]:
        return os.listdir(self._roots) if os.path.isdir(self._roots) else []

    def _take(self, layers: Sequence[SnapshotLayer]) -> tuple[WorkDirectory, int]:
        """Return a directory with as many of ``layers`` as possible, and how many it has."""
        for there in range(len(layers), 0, -1):
            if (directory := self._take_stack(layers[there - 1].chain_id)) is not None:
                return directory, there
        directory = WorkDirectory.create(f"{self._root}/work")
        os.mkdir(f"{directory.path}/rootfs")
        return directory, 0

    def _take_stack(self, chain_id: ChainID) -> WorkDirectory | None:
        prefix = f"{_name(chain_id)}."
        for name in self._names():
            if name.startswith(prefix):
                directory = WorkDirectory.claim(f"{self._roots}/{name}")
                if directory is not None:
                    directory.move(f"{self._root}/work/{os.urandom(8).hex()}")
                    return directory
        return None

    def _complete(
        self, directory: WorkDirectory, layers: Sequence[SnapshotLayer], there: int
    ) -> Walk:
        """Unpack the missing layers and return the walk of the result."""
        rootfs = f"{directory.path}/rootfs"
        if there and there == len(layers):
            return Walk.load(f"{directory.path}/walk") or Walk.of(rootfs)
        tree = FileTree.of(layer.index for layer in layers[:there])
        for layer in layers[there:]:
            with layer.open() as blob:
                self._archive.unpack(
                    blob,
                    rootfs,
                    overlay=False,
                    place=tree.place,
                    implied=implied_by(tree),
                    index=layer.index,
                )
            tree = tree.with_layer(layer.index)
        root = tree.get("")
        assert root is not None
        set_directory(rootfs, root, self._ownership.within(rootfs))
        return Walk.of(rootfs)


class NaiveWorkspace(Workspace):
    """A directory that is changed in place; a second walk finds the changes."""

    def __init__(
        self, directory: WorkDirectory, before: Walk, roots: str, ownership: Ownership
    ) -> None:
        self._ownership = ownership
        self._directory = directory
        self._rootfs = f"{directory.path}/rootfs"
        self._before = before
        self._after: Walk | None = None
        self._roots = roots

    @property
    def root(self) -> DirectoryRoot:
        return DirectoryRoot(path=self._rootfs)

    def changes(self, base: FileTree) -> tuple[Entry, ...]:
        try:
            with _owner_access_errors():
                after = self._after = Walk.of(self._rootfs)
            self._ownership = self._ownership.within(self._rootfs)  # with the records of the step
            deleted = self._before.files.keys() - after.files.keys()
            return changes_of(base, self._found(base, after, deleted), deleted, self._digest)
        except OSError as error:
            raise_state_error(error, self._rootfs)

    def open(self, path: str) -> BinaryIO:
        return open_file(f"{self._rootfs}/{path}")

    def commit(self, chain_id: ChainID, layer: FileIndex) -> None:
        if self._copies(chain_id) >= _MOST_COPIES:
            self.discard()
            return
        try:
            self._keep_walk(layer)
            self._keep_size()
            self._directory.move(f"{self._roots}/{_name(chain_id)}.{os.urandom(8).hex()}")
            self._directory.release()
        except OSError as error:
            raise_state_error(error, self._rootfs)

    def discard(self) -> None:
        self._directory.remove()

    def _found(self, base: FileTree, after: Walk, deleted: set[str]) -> Iterator[Found]:
        candidates = {"", *after.differing(self._before)}
        for path in [*candidates, *deleted]:
            candidates |= base.linked(path) & after.files.keys()
        names: dict[int, list[str]] | None = None
        todo = list(candidates)
        while todo:
            path = todo.pop()
            where = f"{self._rootfs}/{path}" if path else self._rootfs
            status = os.lstat(where)
            entry = entry_of(where, path, status, xattr_names(where), self._ownership)
            linked = entry.kind != DIRECTORY and status.st_nlink > 1
            yield Found(entry, status.st_ino if linked else None)
            if linked:
                names = _names_by_inode(after) if names is None else names
                others = set(names[status.st_ino]) - candidates
                candidates |= others
                todo += others

    def _keep_walk(self, layer: FileIndex) -> None:
        path = f"{self._directory.path}/walk"
        changed = set_times(self._rootfs, layer)
        if self._after is None:
            # The changes of the step were never read.
            if os.path.lexists(path):
                os.unlink(path)
            return
        self._after.refresh(self._rootfs, changed)
        self._after.store(path)

    def _keep_size(self) -> None:
        if self._after is not None:
            with open(f"{self._directory.path}/size", "w", encoding="ascii") as file:
                file.write(str(self._after.room))

    def _copies(self, chain_id: ChainID) -> int:
        prefix = f"{_name(chain_id)}."
        return sum(name.startswith(prefix) for name in os.listdir(self._roots))

    def _digest(self, path: str) -> str:
        return digest_of(f"{self._rootfs}/{path}")


@contextlib.contextmanager
def _owner_access_errors() -> Iterator[None]:
    """Raise OwnerKeptOut for permission errors of a user without capabilities inside."""
    try:
        yield
    except PermissionError as error:
        if capabilities.may_enter_any_directory():
            raise
        raise OwnerKeptOut from error


def _name(chain_id: ChainID) -> str:
    return f"{chain_id.algorithm}-{chain_id.encoded}"


def _recorded_size(root: str) -> int:
    try:
        with open(f"{root}/size", encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return bytes_below(root)


def _names_by_inode(walk: Walk) -> dict[int, list[str]]:
    names: defaultdict[int, list[str]] = defaultdict(list)
    for path, inode in walk.inodes():
        names[inode].append(path)
    return names


def _wait_for_clock(newest: int) -> None:
    # A kernel before 6.13 stamps times once a tick (10 ms at HZ=100): a change in the same tick as
    # the walk would not be visible. A clock that ran ahead is not waited for.
    missing_s = (newest - time.time_ns()) / 1e9 + 0.010
    if 0 < missing_s < 0.050:
        time.sleep(missing_s)
