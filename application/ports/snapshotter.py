"""Writable trees on committed layers, and what changed in them."""

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
    """This machine or this state directory does not allow this snapshotter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotLayer:
    """One layer of a stack that has to exist as files."""

    chain_id: ChainID  # of the stack up to and including this layer
    index: FileIndex
    open: Callable[[], BinaryIO]  # the layer's blob, compressed


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotFacts:
    """About how many bytes a stack's own files take, and whether somebody needs them."""

    size: int
    used: float | None = None  # when last, in seconds since 1970
    in_use: bool = False


class Workspace(Protocol):
    """A writable root on top of a stack of layers; belongs to one step of a build."""

    @property
    @abstractmethod
    def root(self) -> Root:
        """What the executor has to run in."""

    @abstractmethod
    def changes(self, base: FileTree) -> Sequence[Entry]:
        """Return what differs from ``base``, the tree of the stack, sorted by path.

        Deletions are whiteout entries (FILE, ``dir/.wh.name``, size 0); a directory that was
        replaced is listed by its differences, never as opaque. An entry is listed if and only if
        its kind, mode, owner, size, mtime, link, device, xattrs or content differ
        from ``base``: the answer is the same for every snapshotter.
        """

    @abstractmethod
    def open(self, path: str) -> BinaryIO:
        """Return the content of a file in the workspace; the caller closes it."""

    @abstractmethod
    def commit(self, chain_id: ChainID, layer: FileIndex) -> None:
        """Keep the workspace as the snapshot of ``chain_id``, so that nothing need be unpacked.

        ``layer`` is what was written for it; mtimes that were cut there are cut here too.
        """

    @abstractmethod
    def discard(self) -> None:
        """Give the workspace up and remove it. Idempotent, and harmless after ``commit``."""


class Snapshotter(Protocol):
    """Makes root file systems out of layers, and layers' changes out of root file systems."""

    @abstractmethod
    def prepare(self, layers: Sequence[SnapshotLayer], base: FileTree) -> Workspace:
        """Return a new workspace on ``layers``, lowest first; unpacks those not there yet.

        ``base`` is the tree of the layers. In the workspace a file with several names is one file.

        Several threads and processes may prepare at once; a layer is unpacked once.
        Raises SnapshotterUnavailable, InvalidLayer, StoreFull.
        """

    @abstractmethod
    def chain_ids(self) -> Sequence[ChainID]:
        """Return the stacks that are unpacked here."""

    @abstractmethod
    def usage(self, chain_id: ChainID) -> int:
        """Return the bytes on disk that the stack's own files take; 0 where there are none."""

    def facts(self, chain_id: ChainID) -> SnapshotFacts:
        """Return what is known of a stack without looking at all of its files."""
        return SnapshotFacts(size=self.usage(chain_id))

    def size(self, chain_id: ChainID) -> int:
        """Return the size alone; where it is dear to know who needs a stack, for less."""
        return self.facts(chain_id).size

    @abstractmethod
    def remove(self, chain_id: ChainID) -> None:
        """Delete the files of a stack, unless a workspace stands on them.

        One that is not there is no error.
        """
