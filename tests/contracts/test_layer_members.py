"""The contract of layer archives for layers in members: reuse, and reading of a few files."""

import gzip
import hashlib
import io
import random
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from img.adapters.blob_store.checked_file import checked_file
from img.adapters.blob_store.memory import MemoryBlobStore
from img.adapters.layer_archive.tar import TarLayerArchive
from img.application.ports.blob_store import BlobDamaged
from img.application.ports.layer_archive import (
    FormerLayer,
    InvalidLayer,
    LayerArchive,
    PackedEntry,
    PackedLayer,
)
from img.domain.digest import Digest
from img.domain.filesystem.entry import DIRECTORY, FILE, SYMLINK, Entry
from img.domain.filesystem.member_table import Member, MemberTable
from img.domain.oci.chain import DiffID
from img.domain.oci.compression import Algorithm, Compression
from tests.support.images.layer_archives import SECOND

_WORDS = random.Random(1).randbytes(1 << 16).hex().encode()

Tree = Mapping[str, Entry | bytes]


def a_text(seed: int, size: int) -> bytes:
    """Return ``size`` bytes that can be compressed, and differ for each ``seed``."""
    start = seed * 7919 % 60_000
    return (b"%d\n" % seed + _WORDS[start:] * (size // len(_WORDS) + 2))[:size]


def a_tree(files: int = 60, size: int = 150_000) -> dict[str, Entry | bytes]:
    tree: dict[str, Entry | bytes] = {f"d{n}": Entry(f"d{n}", DIRECTORY, 0o755) for n in range(4)}
    tree |= {f"d{n % 4}/file{n}": a_text(n, size + n * 1000) for n in range(files)}
    return tree


class Opened:
    """Counts the files that were opened."""

    def __init__(self, tree: Tree, *, known: bool) -> None:
        self.paths: list[str] = []
        self._tree = tree
        self._known = known

    def entries(self) -> list[PackedEntry]:
        return [self._packed(path, self._tree[path]) for path in sorted(self._tree)]

    def _packed(self, path: str, file: Entry | bytes) -> PackedEntry:
        if isinstance(file, Entry):
            return PackedEntry(file)
        digest = hashlib.sha256(file).hexdigest() if self._known else ""
        entry = Entry(path, FILE, size=len(file), digest=digest, mtime=5 * SECOND + 1)
        return PackedEntry(entry, self._open(path, file))

    def _open(self, path: str, content: bytes) -> Callable[[], BinaryIO]:
        def opened() -> BinaryIO:
            self.paths.append(path)
            return io.BytesIO(content)

        return opened


def packed(
    archive: LayerArchive, tree: Tree, former: FormerLayer | None = None
) -> tuple[PackedLayer, bytes, list[str]]:
    store, opened = MemoryBlobStore(), Opened(tree, known=former is not None)
    layer = archive.pack(opened.entries(), store.writer(), epoch=1000, former=former)
    with store.open(layer.layer.descriptor.digest) as blob:
        return layer, blob.read(), opened.paths


def former_of(layer: PackedLayer, blob: bytes) -> FormerLayer:
    assert layer.index.members is not None
    return FormerLayer(blob=io.BytesIO(blob), members=layer.index.members)


def gzip_members(blob: bytes) -> list[bytes]:
    """Return the contents of the members, as any reader that loops over zlib's does."""
    found = []
    while blob:
        reader = zlib.decompressobj(wbits=31)
        found.append(reader.decompress(blob))
        assert reader.eof
        blob = reader.unused_data
    return found


def test_a_large_layer_has_members_that_usual_readers_read(archive: LayerArchive) -> None:
    layer, blob, _ = packed(archive, a_tree())
    members = gzip_members(blob)

    table = layer.index.members
    assert table is not None
    assert len(members) > 2
    assert table.blob == Digest.of(blob)
    assert [member.size for member in table.members] == [len(each) for each in members]
    assert sum(member.stored for member in table.members) == len(blob)
    assert gzip.decompress(blob) == b"".join(members)
    assert layer.layer.diff_id == Digest.of(b"".join(members))


def test_a_small_layer_has_one_member_and_no_table(archive: LayerArchive) -> None:
    layer, blob, _ = packed(archive, a_tree(files=3))
    assert len(gzip_members(blob)) == 1
    assert layer.index.members is None


def test_files_above_the_largest_member_are_alone_in_theirs(archive: LayerArchive) -> None:
    tree: Tree = {"a": b"a" * 2_000_000, "b": bytes(20 << 20), "c": b"c" * 2_000_000}
    _, blob, _ = packed(archive, tree)
    assert [len(member) >> 20 for member in gzip_members(blob)] == [1, 20, 1]


def test_only_the_member_of_a_changed_file_is_packed_again(archive: LayerArchive) -> None:
    tree = a_tree()
    layer, blob, _ = packed(archive, tree)
    tree["d2/file30"] = b"changed"

    again = packed(archive, tree, former_of(layer, blob))

    fresh = packed(archive, tree)
    assert again[:2] == fresh[:2]
    assert again[0].index.members == fresh[0].index.members
    assert "d2/file30" in again[2]
    assert len(again[2]) < 30 < len(fresh[2])


def test_nothing_is_read_if_nothing_changed(archive: LayerArchive) -> None:
    layer, blob, _ = packed(archive, a_tree())
    assert packed(archive, a_tree(), former_of(layer, blob)) == (layer, blob, [])


changes = st.lists(
    st.tuples(
        st.sampled_from(["content", "size", "mode", "remove", "add", "link", "large", "directory"]),
        st.integers(0, 59),
    ),
    max_size=5,
)


@settings(deadline=None, max_examples=12)
@given(changes, changes)
def test_a_layer_is_the_same_whether_members_are_copied_or_not(
    first: Sequence[tuple[str, int]], second: Sequence[tuple[str, int]]
) -> None:
    archive = TarLayerArchive()
    tree = changed(a_tree(), first)
    layer, blob, _ = packed(archive, tree)
    if layer.index.members is None:
        return
    tree = changed(tree, second)

    again = packed(archive, tree, former_of(layer, blob))

    fresh = packed(archive, tree)
    assert again[:2] == fresh[:2]
    assert again[0].index.members == fresh[0].index.members
    assert archive.index(io.BytesIO(again[1])) == (fresh[0].layer.diff_id, fresh[0].index)


def changed(tree: Tree, edits: Sequence[tuple[str, int]]) -> dict[str, Entry | bytes]:
    new = dict(tree)
    for kind, n in edits:
        path = f"d{n % 4}/file{n}"
        match kind:
            case "content":
                new[path] = a_text(n + 1000, 150_000 + n * 1000)
            case "size":
                new[path] = a_text(n, n * 2000)
            case "mode":
                new[f"d{n % 4}"] = Entry(f"d{n % 4}", DIRECTORY, 0o700 + n % 8)
            case "remove":
                new.pop(path, None)
            case "add":
                new[f"d{n % 4}/new{n}" + "é" * n * 2] = a_text(n, 300_000)
            case "link":
                new[path] = Entry(path, SYMLINK, link="x" * n * 3 + "y")
            case "large":
                new[path] = a_text(n, 18 << 20)
            case "directory":
                new[f"d{n}x"] = Entry(f"d{n}x", DIRECTORY, xattrs=(("user.x", b"1" * n * 4000),))
    return new


@pytest.mark.parametrize(
    "compression",
    [Compression(), Compression(Algorithm.GZIP, 1)],
    ids=str,
)
def test_recompressing_cuts_at_the_same_places(
    archive: LayerArchive, compression: Compression
) -> None:
    old, blob, _ = packed(archive, a_tree())
    store = MemoryBlobStore()
    plain = gzip.decompress(blob)

    entries = Opened(a_tree(), known=False).entries()
    straight = archive.pack(entries, store.writer(), epoch=1000, compression=compression)
    again = archive.recompress(io.BytesIO(plain), store.writer(), old.layer.diff_id, compression)

    assert straight.layer == again
    with store.open(again.descriptor.digest) as stored:
        index = archive.index(stored, again.descriptor.digest)[1]
    assert index.members is not None
    assert old.index.members is not None
    assert index.members.starts == old.index.members.starts


def test_zstd_layers_are_one_frame(archive: LayerArchive) -> None:
    old, blob, _ = packed(archive, a_tree())
    store = MemoryBlobStore()
    layer = archive.recompress(
        io.BytesIO(blob), store.writer(), old.layer.diff_id, Compression(Algorithm.ZSTD)
    )
    with store.open(layer.descriptor.digest) as stored:
        frame = zstandard.ZstdDecompressor().decompressobj()
        assert frame.decompress(stored.read()) == gzip.decompress(blob)
        assert not frame.unused_data


def test_a_tar_with_faults_is_recompressed_without_cuts(archive: LayerArchive) -> None:
    store, plain = MemoryBlobStore(), b"no tar" * 1_000_000
    diff_id = DiffID(Digest.of(plain))
    layer = archive.recompress(io.BytesIO(plain), store.writer(), diff_id, Compression())
    with store.open(layer.descriptor.digest) as blob:
        assert gzip_members(blob.read()) == [plain]


def test_damaged_data_are_reported_while_they_are_recompressed(archive: LayerArchive) -> None:
    layer, blob, _ = packed(archive, a_tree())
    with pytest.raises(InvalidLayer, match="compressed data"):
        archive.recompress(
            io.BytesIO(blob[:-3]), MemoryBlobStore().writer(), layer.layer.diff_id, Compression()
        )


def test_a_blob_with_other_bytes_is_not_used(archive: LayerArchive, tmp_path: Path) -> None:
    tree = a_tree()
    layer, blob, _ = packed(archive, tree)
    tree["d0/file0"] = b"changed"
    # Other content in a member that is sound in itself.
    table = layer.index.members
    assert table is not None
    last = table.members[-1]
    other = gzip.compress(gzip_members(blob)[-1].replace(b"1", b"2"))
    (tmp_path / "blob").write_bytes(blob[: -last.stored] + other)
    members = [*table.members[:-1], last._replace(stored=len(other))]
    with checked_file(str(tmp_path / "blob"), table.blob) as file:
        former = FormerLayer(blob=file, members=MemberTable(table.blob, members))
        with pytest.raises(BlobDamaged):
            packed(archive, tree, former)


WrongTable = Callable[[list[Member]], list[Member]]
WRONG_TABLES: Mapping[str, WrongTable] = {
    "shifted": lambda rows: [rows[0]._replace(stored=rows[0].stored + 1), *rows[1:]],
    "short": lambda rows: [rows[0]._replace(stored=rows[0].stored - 1), *rows[1:]],
    "too long for the blob": lambda rows: [*rows[:-1], rows[-1]._replace(stored=1 << 40)],
    "other sizes": lambda rows: [row._replace(size=row.size + 512) for row in rows],
    "other headers": lambda rows: [row._replace(headers=b"\2" * len(row.headers)) for row in rows],
    "few headers": lambda rows: [row._replace(headers=row.headers[:1]) for row in rows],
    "other keys": lambda rows: [
        row._replace(key=other.key) for row, other in zip(rows, reversed(rows), strict=True)
    ],
    "no keys": lambda rows: [row._replace(key=b"", headers=b"") for row in rows],
    "half": lambda rows: rows[: len(rows) // 2],
}


@pytest.mark.parametrize("wrong", WRONG_TABLES.values(), ids=WRONG_TABLES)
def test_a_wrong_table_gives_an_error_or_the_same_layer(
    archive: LayerArchive, wrong: WrongTable
) -> None:
    tree = a_tree()
    layer, blob, _ = packed(archive, tree)
    table = layer.index.members
    assert table is not None
    members = MemberTable(table.blob, wrong(list(table.members)))

    try:
        again = packed(archive, tree, FormerLayer(blob=io.BytesIO(blob), members=members))
    except InvalidLayer:
        return
    assert again[:2] == (layer, blob)


def test_a_table_comes_from_the_blob_alone_too(archive: LayerArchive) -> None:
    layer, blob, _ = packed(archive, a_tree())
    digest = layer.layer.descriptor.digest
    table = archive.index(io.BytesIO(blob), digest)[1].members
    assert table is not None
    assert layer.index.members is not None
    assert table.starts == layer.index.members.starts
    assert table.stored_starts == layer.index.members.stored_starts
    single = gzip.compress(gzip.decompress(blob), 1)
    assert archive.index(io.BytesIO(single), digest)[1].members is None


def test_many_small_members_of_other_tools_count_as_few(archive: LayerArchive) -> None:
    _, blob, _ = packed(archive, a_tree(files=20))
    plain = gzip.decompress(blob)
    pieces = [gzip.compress(plain[at : at + 7000], 1) for at in range(0, len(plain), 7000)]
    table = archive.index(io.BytesIO(b"".join(pieces)), Digest.of(b""))[1].members
    assert table is not None
    assert len(table.members) < 5
    assert sum(member.size for member in table.members) == len(plain)
    assert sum(member.stored for member in table.members) == len(b"".join(pieces))


class Counted(io.BytesIO):
    """Counts the bytes that are read."""

    count = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])
def test_files_are_read_from_their_members_alone(
    archive: LayerArchive, compress: Callable[[bytes], bytes]
) -> None:
    noise = random.Random(2).randbytes
    tree: Tree = {f"d/file{n:03}": noise(200_000) for n in range(240)}
    store = MemoryBlobStore()
    entries = Opened(tree, known=False).entries()
    layer = archive.pack(entries, store.writer())
    with store.open(layer.layer.descriptor.digest) as stored:
        blob = b"".join(map(compress, gzip_members(stored.read())))
    table = archive.index(io.BytesIO(blob), Digest.of(blob))[1].members
    half = {f"d/file{n:03}" for n in range(240) if not 40 < n < 200}
    for names, most in (({"d/file005", "d/file171"}, 0.5), (half, 0.75)):
        wanted = [entry for entry in layer.index if entry.path in names]
        sizes = {entry.offset: entry.size for entry in wanted}
        source = Counted(blob)
        found = {at: content.read() for at, content in archive.contents(source, sizes, table)}

        assert found == {entry.offset: tree[entry.path] for entry in wanted}
        assert source.count < len(blob) * most
    every = {e.offset: e.size for e in layer.index if e.kind == FILE and e.size}
    contents = archive.contents(io.BytesIO(blob), every, table)
    assert all(content.read() for _, content in contents)
