"""Layers as tar streams, and back."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import BinaryIO, Protocol

from img.application.ports.blob_store import BlobWriter
from img.domain.dataclass import dataclass
from img.domain.errors import HostError, ImgError
from img.domain.filesystem.entry import Entry
from img.domain.filesystem.file_index import FileIndex
from img.domain.oci.chain import DiffID, Layer
from img.domain.oci.compression import USUAL, Compression


class InvalidLayer(ImgError):
    """Bytes that are no layer, or one that would reach outside its root."""

    exit_code = 6


class UnpackRefused(HostError):
    """This machine does not let an entry be made: an owner outside the id map, an attribute."""


def _nothing(_path: str) -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedEntry:
    """An entry to write, and for a FILE of size > 0 how to open its content.

    ``open`` is called once, when the entry's turn comes; the archive closes what it returns.
    """

    entry: Entry
    open: Callable[[], BinaryIO] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedLayer:
    """A layer that was written: its name, its blob, and its entries with digests and offsets."""

    layer: Layer
    index: FileIndex


class LayerArchive(Protocol):
    """The one place that knows tar and compression."""

    @abstractmethod
    def pack(
        self,
        entries: Iterable[PackedEntry],
        blob: BlobWriter,
        *,
        epoch: int | None = None,
        compression: Compression = USUAL,
    ) -> PackedLayer:
        """Write ``entries``, sorted by path already, as a layer into ``blob`` and commit it.

        Deterministic: the same entries and contents give the same bytes on every machine. mtimes
        are cut to whole seconds, and to ``epoch`` (seconds) where they are later. File digests
        are computed on the way. A file that changed size while being read raises ContextError.
        On any error ``blob`` is aborted.
        """

    @abstractmethod
    def recompress(
        self, compressed: BinaryIO, blob: BlobWriter, diff_id: DiffID, compression: Compression
    ) -> Layer:
        """Write a layer, whatever it is compressed with, into ``blob`` anew and commit it.

        The tar inside stays as it is, and is verified to be ``diff_id``; else InvalidLayer is
        raised. Deterministic as ``pack`` is. On any error ``blob`` is aborted.
        """

    @abstractmethod
    def write_tar(self, entries: Iterable[PackedEntry], output: BinaryIO) -> None:
        """Write ``entries`` in their order as a plain tar file to ``output``, which stays open.

        mtimes are cut to whole seconds. What writing raises goes through.
        """

    @abstractmethod
    def write_files(self, entries: Iterable[PackedEntry], directory: str, *, owners: bool) -> None:
        """Make ``entries`` in ``directory``, never outside it.

        Directories come before what is in them, files before their other names. Modes, xattrs and
        mtimes are set exactly; owners only with ``owners``, else all belongs to whoever runs this.
        Raises InvalidLayer, UnpackRefused, and OSError where the disk is full.
        """

    @abstractmethod
    def index(self, compressed: BinaryIO) -> tuple[DiffID, FileIndex]:
        """Read a layer (none, gzip, zstd, bzip2 or xz by magic) to its end and list what is in it.

        Names are cleaned; names that climb out raise InvalidLayer.
        """

    @abstractmethod
    def unpack(
        self,
        compressed: BinaryIO,
        directory: str,
        *,
        overlay: bool,
        place: Callable[[str], str],
        implied: Callable[[str], Entry | None],
        below: Callable[[str], tuple[Entry, BinaryIO] | None] = _nothing,
        index: FileIndex | None = None,
    ) -> None:
        """Unpack a layer into ``directory``, never outside it.

        ``index`` is what ``index`` or ``pack`` said of it: then no header is read again.

        With ``overlay`` whiteouts become overlay whiteouts (character device 0:0; opaque: the
        xattr user.overlay.opaque=y), else they are applied to what is in ``directory``.
        ``place(path)`` says where an entry belongs (FileTree.place of the tree below: links among
        its parents are followed); ``implied(path)`` gives the metadata of a parent directory
        that the layer does not list (None: 0755, root's, mtime 0); with ``overlay`` it must know
        all directories below, for whiteouts are made only where there is one. Owners, modes,
        xattrs and mtimes are set exactly.

        ``below(path)`` gives a file of the layers below, which is closed here, for the hard links
        to it; only with ``overlay`` is it asked, and where it knows none InvalidLayer is raised.
        An opaque root hides nothing in an overlay mount: leave the layers below out of it.
        Where devices may not be made, an empty file with the xattr ``user.img.dev`` ("c 1:3")
        stands for each. Raises InvalidLayer, UnpackRefused, StoreFull.
        """

    @abstractmethod
    def contents(
        self, compressed: BinaryIO, wanted: Mapping[int, int]
    ) -> Iterator[tuple[int, BinaryIO]]:
        """Yield (offset, content) of the files of a layer that start at the offsets in ``wanted``.

        ``wanted`` maps offsets to sizes; they come in ascending order in one pass; each content
        must be read before the next is asked for.
        """

    @abstractmethod
    def foreign(self, archive: BinaryIO) -> Iterator[tuple[Entry, BinaryIO]] | None:
        """Yield the entries of any tar archive (ADD of a local archive), None when it is none.

        ``..`` in a name leads to the archive's root at most. Each entry's content must be read
        before the next is asked for.
        """
