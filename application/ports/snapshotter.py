"""Writable root file systems on layers, and the changes made in them."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import BinaryIO, Protocol

from img.domain.dataclass import dataclass
from img.domain.errors import HostError
from img.domain.filesystem.entry import Entry
from img.domain.filesystem.file_index import FileIndex
from img.domain.filesystem.tree import FileTree
from img.domain.oci.chain import ChainID
from img.domain.process import Root


class SnapshotterUnavailable(HostError):
    """The snapshotter does not work on this machine or in this state directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotLayer:
    """One layer of a root file system."""

    chain_id: ChainID  # of the stack up to and including this layer
    index: FileIndex
    open: Callable[[], BinaryIO]  # the layer's blob, compressed


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotFacts:
    """The approximate disk usage of a snapshot in bytes, and its last use."""

    size: int
    used: float | None = None  # when last, in seconds since 1970
    in_use: bool = False


class Workspace(Protocol):
    """A writable root file system on layers, for one step of a build and one thread."""

    @property
    @abstractmethod
    def root(self) -> Root:
        """The root file system for the executor."""

    @abstractmethod
    def changes(self, base: FileTree) -> Sequence[Entry]:
        """Return the differences to ``base``, the tree of the layers, sorted by path.

        Deletions are whiteout entries (FILE, ``dir/.wh.name``, size 0); a directory that was
        replaced is listed by its differences, never as opaque. An entry is listed if and only if
        its kind, mode, owner, size, mtime, link, device, xattrs or content differ
        from ``base``: every snapshotter returns the same list.
        """

    @abstractmethod
    def open(self, path: str) -> BinaryIO:
        """Return the content of a file in the workspace; the caller closes it."""

    @abstractmethod
    def commit(self, chain_id: ChainID, layer: FileIndex) -> None:
        """Keep the workspace as the snapshot of ``chain_id``, which is then not unpacked again.

        ``layer`` is the index of the packed changes; mtimes that were cut there are cut here too.
        Atomic: a crash leaves the whole snapshot or none.
        """

    @abstractmethod
    def discard(self) -> None:
        """Delete the workspace. Idempotent; no effect after ``commit``."""


class Snapshotter(Protocol):
    """Snapshots: unpacked layers, and workspaces on them.

    Several threads and processes may use it. Files of crashed processes are deleted by a later one.
    """

    @abstractmethod
    def prepare(self, layers: Sequence[SnapshotLayer], base: FileTree) -> Workspace:
        """Return a new workspace on ``layers``, lowest first; unpack those without a snapshot.

        ``base`` is the tree of the layers. Hard links are kept. A layer is unpacked once, even if
        several threads and processes need it.
        Raises SnapshotterUnavailable, InvalidLayer, StoreFull.
        """

    @abstractmethod
    def chain_ids(self) -> Sequence[ChainID]:
        """Return the chain IDs that have a snapshot."""

    @abstractmethod
    def usage(self, chain_id: ChainID) -> int:
        """Return the disk usage of the snapshot in bytes, 0 if there is none."""

    def facts(self, chain_id: ChainID) -> SnapshotFacts:
        """Return the facts of a snapshot, measured without visiting all of its files."""
        return SnapshotFacts(size=self.usage(chain_id))

    def size(self, chain_id: ChainID) -> int:
        """Return the size of ``facts``; adapters override it if the other facts are expensive."""
        return self.facts(chain_id).size

    @abstractmethod
    def remove(self, chain_id: ChainID) -> None:
        """Delete the snapshot if there is one and no workspace uses it."""
