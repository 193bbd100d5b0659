"""Layers as tar archives, written and read without tarfile, which is too slow and too trusting."""

import contextlib
import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO, cast

from img.adapters.layer_archive import header
from img.adapters.layer_archive.aufs import is_aufs_leftover, without_aufs_leftovers
from img.adapters.layer_archive.compressing import CompressedBlob
from img.adapters.layer_archive.compression import decompressed
from img.adapters.layer_archive.cuts import CutStream
from img.adapters.layer_archive.extract import Extraction
from img.adapters.layer_archive.layer_packing import LayerPacker
from img.adapters.layer_archive.member_access import MemberStarts, NeededMembers
from img.adapters.layer_archive.members import contained_name, members
from img.adapters.layer_archive.packing import write_tar
from img.adapters.layer_archive.stream import Content, TarStream
from img.adapters.layer_archive.threads import ReadAhead
from img.adapters.layer_archive.whiteouts import check_whiteout
from img.adapters.linux.buffers import CHUNK
from img.adapters.storage.ownership import REAL, OutsideOwnership, Ownership
from img.application.ports.blob_store import BlobWriter, StoreFull
from img.application.ports.layer_archive import (
    FormerLayer,
    InvalidLayer,
    LayerArchive,
    PackedEntry,
    PackedLayer,
)
from img.domain.digest import Digest
from img.domain.filesystem.entry import DIRECTORY, FILE, Entry
from img.domain.filesystem.file_index import FileIndex
from img.domain.filesystem.member_table import MemberTable
from img.domain.oci.chain import DiffID, Layer
from img.domain.oci.compression import USUAL, Compression

_MOST_HEADERS_OF_IMAGES = 32 << 20  # bytes: 65,536 members


def _nothing(_path: str) -> None:
    return None


class TarLayerArchive(LayerArchive):
    """USTAR, with PAX for values that do not fit, in gzip; reads the output of all other tools."""

    def __init__(self, ownership: Ownership = REAL) -> None:
        self._ownership = ownership

    def pack(
        self,
        entries: Iterable[PackedEntry],
        blob: BlobWriter,
        *,
        epoch: int | None = None,
        compression: Compression = USUAL,
        former: FormerLayer | None = None,
    ) -> PackedLayer:
        content = None
        try:
            content = CompressedBlob(blob, compression)
            packer = LayerPacker(content, compression, epoch)
            if former is None or compression != USUAL:
                packer.pack(entries)
            else:
                packer.pack_again(entries, former)
            layer = content.commit(content.close())
            return PackedLayer(layer=layer, index=packer.index(layer.descriptor.digest))
        except BaseException:
            if content is not None:
                content.stop()
            blob.abort()
            raise

    def recompress(
        self, compressed: BinaryIO, blob: BlobWriter, diff_id: DiffID, compression: Compression
    ) -> Layer:
        content = None
        ahead = ReadAhead(decompressed(compressed))
        try:
            content = CompressedBlob(blob, compression)
            copy_tar(ahead, content, compression)
            found = content.close()
            if found != diff_id:
                raise InvalidLayer(f"a layer unpacks to {found}, not {diff_id}")
            return content.commit(diff_id)
        except BaseException:
            if content is not None:
                content.stop()
            blob.abort()
            raise
        finally:
            ahead.close()

    def write_tar(self, entries: Iterable[PackedEntry], output: BinaryIO) -> None:
        def write(parts: Sequence[bytes]) -> None:
            left = memoryview(b"".join(parts))
            while left:  # an unbuffered output may accept only a part
                left = left[output.write(left) :]

        write_tar(entries, write, None)

    def write_files(self, entries: Iterable[PackedEntry], directory: str, *, owners: bool) -> None:
        try:
            with Extraction(
                directory,
                overlay=False,
                place=str,
                implied=_nothing,
                below=_nothing,
                ownership=OutsideOwnership(owners=owners),
            ) as extraction:
                for packed in entries:
                    extraction.add(packed.entry, _pieces(packed))
                extraction.finish()
        except StoreFull as error:  # the target is full, not the store
            raise error.__cause__ or error from None

    def index(self, compressed: BinaryIO, blob: Digest | None = None) -> tuple[DiffID, FileIndex]:
        diff = hashlib.sha256()
        starts = MemberStarts()
        content = decompressed(compressed, starts.add)
        ahead = ReadAhead(_observed(content, diff.update))
        try:
            stream = TarStream(ahead)
            entries = without_aufs_leftovers(_indexed(stream))
            stream.drain()
        finally:
            ahead.close()
        table = None if blob is None else starts.table(blob)
        return DiffID(Digest("sha256", diff.hexdigest())), FileIndex.of(entries, table)

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
        ahead = ReadAhead(decompressed(compressed))
        try:
            stream = TarStream(ahead)
            with Extraction(
                directory,
                overlay=overlay,
                place=place,
                implied=implied,
                below=below,
                ownership=self._ownership.within(directory),
            ) as extraction:
                for entry in _layer_members(stream) if index is None else _known(index, stream):
                    extraction.add(entry, stream.pieces(entry.size))
                extraction.finish()
            stream.drain()
        finally:
            ahead.close()

    def contents(
        self,
        compressed: BinaryIO,
        wanted: Mapping[int, int],
        members: MemberTable | None = None,
    ) -> Iterator[tuple[int, BinaryIO]]:
        needed = None if members is None else NeededMembers(members, wanted)
        chunks = decompressed(compressed) if needed is None else needed.chunks(compressed)
        with contextlib.ExitStack() as stack:
            if needed is None or not needed.are_few:
                chunks = stack.enter_context(contextlib.closing(ReadAhead(chunks)))
            stream = TarStream(chunks)
            for offset in sorted(wanted):
                stream.skip_to(offset if needed is None else needed.place_of(offset))
                yield offset, _file(stream, wanted[offset])

    def foreign(self, archive: BinaryIO) -> Iterator[tuple[Entry, BinaryIO]] | None:
        start = archive.tell()
        try:
            first = TarStream(decompressed(archive)).take(header.BLOCK)
        except InvalidLayer:
            first = b""
        archive.seek(start)
        if not header.is_header(first):
            return None
        stream = TarStream(decompressed(archive))
        return _with_contents(members(stream, path_of=contained_name), stream)


def copy_tar(chunks: Iterator[bytes], content: CompressedBlob, compression: Compression) -> None:
    """Write a tar file to ``content``, in members as ``pack`` does."""
    if compression.algorithm.has_members:
        CutStream(lambda chunk: content.write((chunk,)), content.cut).copy(chunks)
    else:
        for chunk in chunks:
            content.write((chunk,))


def archive_members(archive: BinaryIO) -> Iterator[tuple[Entry, BinaryIO]]:
    """Yield the members of an archive of images with their contents, and read it to its end.

    Such an archive has a few files for each layer. Raises InvalidLayer.
    """
    stream = TarStream(decompressed(archive))
    found = members(stream, most_headers=_MOST_HEADERS_OF_IMAGES)
    yield from _with_contents(found, stream)
    stream.drain()  # otherwise a program that writes the archive into a pipe would be killed


def _pieces(packed: PackedEntry) -> Iterable[memoryview]:
    if packed.open is None:
        return ()
    content = packed.open()
    if isinstance(content, Content):  # of an archive: copied directly, because most files are small
        return content.pieces()
    return _read(content)


def _read(content: BinaryIO) -> Iterator[memoryview]:
    with content:
        while chunk := content.read(CHUNK):
            yield memoryview(chunk)


def _observed(chunks: Iterator[bytes], observe: Callable[[bytes], object]) -> Iterator[bytes]:
    for chunk in chunks:
        observe(chunk)
        yield chunk


def _layer_members(stream: TarStream) -> Iterator[Entry]:
    for entry in _all_members(stream):
        if ".wh." not in entry.path or not is_aufs_leftover(entry.path):
            yield entry


def _all_members(stream: TarStream) -> Iterator[Entry]:
    """Yield the entries of a layer, including AUFS' own."""
    for entry in members(stream):
        if not entry.path and entry.kind != DIRECTORY:
            raise InvalidLayer("the root of a layer is no directory")
        if ".wh." in entry.path and not is_aufs_leftover(entry.path):
            check_whiteout(entry.path)
        yield entry


def _known(index: FileIndex, stream: TarStream) -> Iterator[Entry]:
    """Yield the entries of ``index``, which are in ``stream``, as ``_layer_members`` does."""
    for entry in index:
        if entry.kind == FILE:
            stream.skip_to(entry.offset)
        yield entry


def _indexed(stream: TarStream) -> Iterator[Entry]:
    # bypasses the NamedTuple's own __new__: there may be 10^5 files
    make, sha256 = tuple.__new__, hashlib.sha256
    for entry in _all_members(stream):
        if entry.kind != FILE:
            yield entry
            continue
        digest = sha256()
        for piece in stream.pieces(entry.size):
            digest.update(piece)
        yield make(Entry, (*entry[:10], digest.hexdigest(), entry[11]))


def _with_contents(found: Iterator[Entry], stream: TarStream) -> Iterator[tuple[Entry, BinaryIO]]:
    for entry in found:
        if not entry.path and entry.kind != DIRECTORY:
            # A member without a name is no file: docker leaves it out as well.
            for _ in stream.pieces(entry.size):
                pass
        elif entry.kind == FILE:
            yield entry._replace(offset=-1), _file(stream, entry.size)
        else:
            yield entry, io.BytesIO()


def _file(stream: TarStream, size: int) -> BinaryIO:
    return cast(BinaryIO, Content(stream, size))
