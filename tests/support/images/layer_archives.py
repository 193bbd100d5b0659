"""Layers for tests of layer archives, from a few words."""

import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

from img.adapters.blob_store.memory import MemoryBlobStore
from img.application.ports.blob_store import BlobWriter, StoreFull
from img.application.ports.layer_archive import (
    LayerArchive,
    PackedEntry,
    PackedLayer,
)
from img.domain.digest import Digest
from img.domain.filesystem.entry import (
    BLOCK,
    CHARACTER,
    DIRECTORY,
    FIFO,
    FILE,
    HARDLINK,
    SYMLINK,
    Entry,
)
from img.domain.filesystem.file_index import FileIndex
from tests.support.images.evil_archives import a_tar, info

SECOND = 10**9
CAPABILITY = bytes.fromhex("01000002") + b"\0\x04\0\n" + bytes(12)  # with a newline in it
EMPTY_DIFF_ID = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"


class SlowFull(BlobWriter):
    """A blob that takes a few bytes at a time, and a few in all."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.aborted = False

    def write(self, data: bytes | memoryview) -> int:
        taken = min(len(data), 1000)
        self.room -= taken
        if self.room < 0:
            raise StoreFull("full")
        return taken

    def commit(self, expected: Digest | None = None) -> Digest:
        return Digest.of(b"")

    def abort(self) -> None:
        self.aborted = True


def with_content(entry: Entry, content: bytes) -> PackedEntry:
    entry = entry._replace(size=len(content), digest="")
    return PackedEntry(entry=entry, open=lambda: io.BytesIO(content))


def a_file(path: str, content: bytes = b"", **fields: object) -> PackedEntry:
    return with_content(Entry(path, FILE)._replace(**fields), content)  # type: ignore[arg-type]


def a_directory(path: str) -> PackedEntry:
    return PackedEntry(entry=Entry(path, DIRECTORY, 0o755))


def packed(
    archive: LayerArchive, *entries: PackedEntry, epoch: int | None = None
) -> tuple[PackedLayer, bytes]:
    store = MemoryBlobStore()
    layer = archive.pack(entries, store.writer(), epoch=epoch)
    with store.open(layer.layer.descriptor.digest) as blob:
        return layer, blob.read()


def index_of(archive: LayerArchive, layer: bytes) -> FileIndex:
    return archive.index(io.BytesIO(layer))[1]


def unpack(
    archive: LayerArchive,
    layer: bytes,
    directory: Path,
    *,
    overlay: bool = False,
    place: Callable[[str], str] = lambda path: path,
    implied: Callable[[str], Entry | None] = lambda _: None,
) -> None:
    archive.unpack(io.BytesIO(layer), str(directory), overlay=overlay, place=place, implied=implied)


EVERY_KIND = (
    a_directory("d"),
    a_file("d/big", os.urandom(3 << 20), mode=0o4755, uid=1000, gid=1001, mtime=5 * SECOND),
    a_file("d/empty"),
    a_file("d/ids", b"x", uid=2**31, gid=2**31 + 1),
    a_file("d/long-" + "n" * 200, b"long"),
    a_file("d/not-utf8-\udcff", b"\xff"),
    a_file("d/old", b"old", mtime=-5 * SECOND),
    a_file("d/small", b"small", xattrs=(("security.capability", CAPABILITY), ("user.x", b""))),
    PackedEntry(entry=Entry("d/s", SYMLINK, 0o777, link="/" + "t" * 150)),
    PackedEntry(entry=Entry("d/t", SYMLINK, 0o777, link="ümlaut")),
    PackedEntry(entry=Entry("d/u", HARDLINK, link="d/small")),
    PackedEntry(entry=Entry("d/v", CHARACTER, 0o666, device=(1, 3))),
    PackedEntry(entry=Entry("d/w", BLOCK, 0o660, device=(7, 300))),
    PackedEntry(entry=Entry("d/x", FIFO, 0o6711, 1000, 1001)),
    a_file("p" * 120 + "/" + "n" * 90, b"in the prefix field"),
)
LAYER = a_tar(info("d", tarfile.DIRTYPE), (info("d/f"), b"content"), (info("g"), b"g" * 5000))
