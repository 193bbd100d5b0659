"""Packing and unpacking of layers as tar streams."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Protocol

from img.application.ports.blob_store import BlobWriter
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import HostError, ImgError
from img.domain.filesystem.entry import Entry
from img.domain.filesystem.file_index import FileIndex
from img.domain.oci.chain import DiffID, Layer
from img.domain.oci.compression import USUAL, Compression

if TYPE_CHECKING:
    from img.domain.filesystem.member_table import MemberTable


class InvalidLayer(ImgError):
    """The bytes are not a layer, or a name in it leads out of its root."""

    exit_code = 6


class UnpackRefused(HostError):
    """The kernel refuses to create an entry: an owner outside the ID map, an attribute."""


def _nothing(_path: str) -> None:
    return None


class PackedEntry(NamedTuple):
    """An entry to write, and for a FILE of size > 0 a function that opens its content.

    ``open`` is called once, when the entry is written; the archive closes the content. A BytesIO is
    the fastest content for small files; its digest is not computed if the entry has one.
    """

    entry: Entry
    open: Callable[[], BinaryIO] | None = None

    @classmethod
    def opened(cls, entry: Entry, content: BinaryIO) -> "PackedEntry":
        """Return an entry with a content that is open already."""
        return cls(entry, lambda: content)


@dataclass(frozen=True, slots=True, kw_only=True)
class FormerLayer:
    """An older layer with many of the same files: its blob, and the table of its members.

    The blob is read from its start to its end; the caller closes it.
    """

    blob: BinaryIO
    members: "MemberTable"


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedLayer:
    """A packed layer, and its entries with digests and offsets."""

    layer: Layer
    index: FileIndex


class LayerArchive(Protocol):
    """The formats of layers: tar and compression. It has no state; threads may share it."""

    @abstractmethod
    def pack(
        self,
        entries: Iterable[PackedEntry],
        blob: BlobWriter,
        *,
        epoch: int | None = None,
        compression: Compression = USUAL,
        former: FormerLayer | None = None,
    ) -> PackedLayer:
        """Write ``entries``, sorted by path, as a layer into ``blob`` and commit it.

        Deterministic: the same entries and contents give the same bytes on every machine. mtimes
        are cut to whole seconds, and to ``epoch`` (seconds) if they are later. File digests
        are computed meanwhile. A file that changed size while being read raises ContextError.
        On any error ``blob`` is aborted.

        With ``former`` the result is the same. Members of it with the same entries are copied, and
        ``open`` is not called for those; entries are taken before earlier ones are opened. Raises
        BlobDamaged or InvalidLayer if the blob of ``former`` has changed or its table is wrong.
        """

    @abstractmethod
    def recompress(
        self, compressed: BinaryIO, blob: BlobWriter, diff_id: DiffID, compression: Compression
    ) -> Layer:
        """Write a layer with another compression into ``blob`` and commit it.

        The tar stream stays the same; InvalidLayer is raised if it does not have ``diff_id``.
        Deterministic as ``pack`` is. On any error ``blob`` is aborted.
        """

    @abstractmethod
    def write_tar(self, entries: Iterable[PackedEntry], output: BinaryIO) -> None:
        """Write ``entries`` in their order as a plain tar file to ``output``, which is not closed.

        mtimes are cut to whole seconds. Errors of ``output`` are raised unchanged.
        """

    @abstractmethod
    def write_files(self, entries: Iterable[PackedEntry], directory: str, *, owners: bool) -> None:
        """Create ``entries`` in ``directory``, never outside it.

        Directories come before their files, files before their hard links. Modes, xattrs and
        mtimes are set exactly; owners only with ``owners``, else the current user owns all.
        Raises InvalidLayer, UnpackRefused, and OSError if the disk is full.
        """

    @abstractmethod
    def index(self, compressed: BinaryIO, blob: Digest | None = None) -> tuple[DiffID, FileIndex]:
        """Read a layer (none, gzip, zstd, bzip2 or xz by magic) to its end and return its index.

        With ``blob``, the digest of the compressed bytes, the index has their table of members.
        Names are cleaned; names that lead out of the root raise InvalidLayer.
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

        ``index`` is the result of ``index`` or ``pack`` for the layer, which saves reading headers.

        With ``overlay`` whiteouts become overlay whiteouts (character device 0:0; opaque: the
        xattr user.overlay.opaque=y), else they are applied to the files in ``directory``.
        ``place(path)`` returns the path of an entry (FileTree.place of the tree below: links among
        its parents are followed); ``implied(path)`` returns the metadata of a parent directory
        that the layer does not list (None: 0755, root's, mtime 0); with ``overlay`` it must know
        all directories below, as whiteouts are made only in directories. Owners, modes,
        xattrs and mtimes are set exactly.

        ``below(path)`` returns a file of the layers below for hard links to it, and the archive
        closes it; used only with ``overlay``. If it returns None, InvalidLayer is raised.
        An opaque root hides nothing in an overlay mount: leave the layers below out of it.
        Without permission for device nodes, each becomes an empty file with the xattr
        ``user.img.dev`` ("c 1:3"). Raises InvalidLayer, UnpackRefused, StoreFull.
        """

    @abstractmethod
    def contents(
        self,
        compressed: BinaryIO,
        wanted: Mapping[int, int],
        members: "MemberTable | None" = None,
    ) -> Iterator[tuple[int, BinaryIO]]:
        """Yield (offset, content) of the files of a layer that start at the offsets in ``wanted``.

        ``wanted`` maps offsets to sizes. The contents come in ascending order in one pass; each is
        valid until the next is requested. Raises InvalidLayer.

        With ``members``, the table of the blob, members without a wanted file may be skipped;
        ``compressed`` can seek then. The caller verifies the contents, as the table may be wrong.
        """

    @abstractmethod
    def foreign(self, archive: BinaryIO) -> Iterator[tuple[Entry, BinaryIO]] | None:
        """Yield the entries of any tar archive (ADD of a local archive), None if it is not one.

        ``..`` in a name does not lead out of the root of the archive. Each content is valid until
        the next entry is requested.
        """
