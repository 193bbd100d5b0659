"""What every layer archive promises."""

import bz2
import contextlib
import gzip
import hashlib
import io
import lzma
import os
import stat
import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from img.adapters.blob_store.memory import MemoryBlobStore
from img.adapters.layer_archive.tar import TarLayerArchive
from img.application.ports.blob_store import BlobWriter, StoreFull
from img.application.ports.build_context import ContextFileChanged
from img.application.ports.layer_archive import (
    InvalidLayer,
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
    SOCKET,
    SYMLINK,
    Entry,
)
from img.domain.filesystem.file_index import FileIndex
from img.domain.oci.compression import Algorithm, Compression
from img.domain.oci.media_types import OCI_LAYER_GZIP
from tests.evil_archives import EVIL, Outside, a_tar, info

SECOND = 10**9
CAPABILITY = bytes.fromhex("01000002") + b"\0\x04\0\n" + bytes(12)  # with a newline in it
EMPTY_DIFF_ID = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"


@pytest.fixture(params=[TarLayerArchive])
def archive(request: pytest.FixtureRequest) -> LayerArchive:
    made: LayerArchive = request.param()
    return made


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
    return PackedEntry(entry=entry._replace(size=len(content)), open=lambda: io.BytesIO(content))


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


# pack


def test_the_empty_layer_is_an_empty_archive(archive: LayerArchive) -> None:
    layer, blob = packed(archive)
    assert gzip.decompress(blob) == bytes(1024)
    assert str(layer.layer.diff_id) == EMPTY_DIFF_ID
    assert len(layer.index) == 0


def test_a_packed_layer_is_described_as_it_is(archive: LayerArchive) -> None:
    layer, blob = packed(archive, a_file("a", b"content" * 1000))
    descriptor = layer.layer.descriptor
    assert descriptor.media_type == OCI_LAYER_GZIP
    assert (descriptor.digest, descriptor.size) == (Digest.of(blob), len(blob))
    assert layer.layer.diff_id == Digest.of(gzip.decompress(blob))


def test_an_index_of_what_was_packed_is_what_pack_returned(archive: LayerArchive) -> None:
    layer, blob = packed(archive, *EVERY_KIND)
    assert archive.index(io.BytesIO(blob)) == (layer.layer.diff_id, layer.index)


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
    PackedEntry(entry=Entry("d/x", FIFO, 0o600)),
    a_file("p" * 120 + "/" + "n" * 90, b"in the prefix field"),
)


def test_other_tars_read_what_was_packed(archive: LayerArchive) -> None:
    _, blob = packed(archive, *EVERY_KIND)
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob))) as found:
        members = found.getmembers()
        assert [member.name for member in members] == [each.entry.path for each in EVERY_KIND]
        for member, each in zip(members, EVERY_KIND, strict=True):
            entry = each.entry
            assert (member.mode, member.uid, member.gid) == (entry.mode, entry.uid, entry.gid)
            assert member.mtime == entry.mtime // SECOND
            assert (member.uname, member.gname) == ("", "")
            if member.isreg():
                content = found.extractfile(member)
                assert content is not None
                assert each.open is not None
                assert content.read() == each.open().read()
            elif member.issym() or member.islnk():
                assert member.linkname == entry.link
            elif member.isdev() and not member.isfifo():
                assert (member.devmajor, member.devminor) == entry.device


def test_packing_again_gives_the_same_bytes(archive: LayerArchive) -> None:
    assert packed(archive, *EVERY_KIND) == packed(archive, *EVERY_KIND)


# other compressions


ALL_COMPRESSIONS = [
    *(Compression(Algorithm.GZIP, level) for level in (None, 0, 1, 9)),
    *(Compression(Algorithm.ZSTD, level) for level in (None, 1, 11)),
    Compression(Algorithm.NONE),
]


def plain(blob: bytes, algorithm: Algorithm) -> bytes:
    match algorithm:
        case Algorithm.GZIP:
            return gzip.decompress(blob)
        case Algorithm.ZSTD:
            return zstandard.ZstdDecompressor().decompressobj().decompress(blob)
        case Algorithm.NONE:
            return blob


@pytest.mark.parametrize("compression", ALL_COMPRESSIONS, ids=str)
def test_a_layer_compressed_anew_has_the_same_tar_inside(
    archive: LayerArchive, compression: Compression
) -> None:
    old, blob = packed(archive, *EVERY_KIND)
    store = MemoryBlobStore()

    layer = archive.recompress(io.BytesIO(blob), store.writer(), old.layer.diff_id, compression)

    with store.open(layer.descriptor.digest) as stored:
        new = stored.read()
    assert plain(new, compression.algorithm) == gzip.decompress(blob)
    assert layer.diff_id == old.layer.diff_id
    assert layer.descriptor.media_type == compression.algorithm.media_type
    assert (layer.descriptor.digest, layer.descriptor.size) == (Digest.of(new), len(new))
    assert archive.index(io.BytesIO(new)) == (old.layer.diff_id, old.index)


@pytest.mark.parametrize("compression", ALL_COMPRESSIONS, ids=str)
def test_it_has_the_bytes_that_packing_would_have_given(
    archive: LayerArchive, compression: Compression
) -> None:
    old, blob = packed(archive, *EVERY_KIND)
    store = MemoryBlobStore()

    straight = archive.pack(EVERY_KIND, store.writer(), compression=compression)
    anew = archive.recompress(io.BytesIO(blob), store.writer(), old.layer.diff_id, compression)

    assert straight.layer == anew


def test_a_higher_level_makes_less(archive: LayerArchive) -> None:
    old, blob = packed(archive, a_file("text", b" ".join(b"%d" % n for n in range(200_000))))

    def size(compression: Compression) -> int:
        store = MemoryBlobStore()
        source = io.BytesIO(blob)
        layer = archive.recompress(source, store.writer(), old.layer.diff_id, compression)
        return layer.descriptor.size

    for algorithm, low, high in ((Algorithm.GZIP, 1, 9), (Algorithm.ZSTD, 1, 11)):
        assert size(Compression(algorithm, high)) < size(Compression(algorithm, low))


@pytest.mark.parametrize("damage", [b"", b"no layer at all"])
def test_what_is_another_layer_is_not_compressed_anew(archive: LayerArchive, damage: bytes) -> None:
    old, _ = packed(archive, a_file("a", b"1"))
    blob = SlowFull(1 << 20)

    with pytest.raises(InvalidLayer):
        archive.recompress(io.BytesIO(damage), blob, old.layer.diff_id, Compression())

    assert blob.aborted


def test_a_full_store_ends_compressing_anew(archive: LayerArchive) -> None:
    old, content = packed(archive, a_file("a", os.urandom(4 << 20)))
    blob = SlowFull(2 << 20)

    with pytest.raises(StoreFull):
        archive.recompress(
            io.BytesIO(content), blob, old.layer.diff_id, Compression(Algorithm.ZSTD)
        )

    assert blob.aborted


# plain files


def test_a_tar_file_holds_what_a_layer_would(archive: LayerArchive) -> None:
    output = io.BytesIO()

    archive.write_tar(EVERY_KIND, output)

    assert output.getvalue() == gzip.decompress(packed(archive, *EVERY_KIND)[1])


def test_files_are_made_with_everything_but_owners(archive: LayerArchive, tmp_path: Path) -> None:
    entries = [
        PackedEntry(entry=Entry("d", DIRECTORY, 0o500, mtime=7 * SECOND)),
        a_file("d/f", b"content", mode=0o4750, uid=12345, gid=12345, mtime=5 * SECOND + 1),
        a_file("d/empty"),
        PackedEntry(entry=Entry("d/h", HARDLINK, link="d/f")),
        PackedEntry(entry=Entry("d/p", FIFO, 0o640)),
        PackedEntry(entry=Entry("l", SYMLINK, link="/nowhere", uid=12345)),
    ]

    archive.write_files(entries, str(tmp_path), owners=False)

    file, directory = (tmp_path / "d/f").stat(), (tmp_path / "d").stat()
    assert (tmp_path / "d/f").read_bytes() == b"content"
    assert (file.st_mode & 0o7777, file.st_mtime_ns) == (0o4750, 5 * SECOND + 1)
    assert (file.st_uid, file.st_gid) == (os.geteuid(), os.getegid())
    assert (directory.st_mode & 0o7777, directory.st_mtime_ns) == (0o500, 7 * SECOND)
    assert (tmp_path / "d/h").samefile(tmp_path / "d/f")
    assert stat.S_ISFIFO((tmp_path / "d/p").stat().st_mode)
    assert os.readlink(tmp_path / "l") == "/nowhere"
    assert (tmp_path / "d/empty").read_bytes() == b""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_root_gives_files_to_their_owners(archive: LayerArchive, tmp_path: Path) -> None:
    entries = [a_file("f", b"x", uid=33, gid=34, mode=0o6755)]

    archive.write_files(entries, str(tmp_path), owners=True)

    status = (tmp_path / "f").stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (33, 34, 0o6755)


def test_files_are_made_in_the_directory_or_not_at_all(
    archive: LayerArchive, tmp_path: Path
) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    entries = [
        PackedEntry(entry=Entry("link", SYMLINK, link=str(outside))),
        PackedEntry(entry=Entry("up", SYMLINK, link="../../outside")),
        a_file("link/a", b"1"),
        a_file("up/b", b"2"),
    ]

    archive.write_files(entries, str(inside), owners=False)

    assert list(outside.iterdir()) == []


class Dribble(io.BytesIO):
    """A file that gives less than it is asked for."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(size, 777) if size and size > 0 else size)


def test_the_bytes_do_not_depend_on_how_a_file_is_read(archive: LayerArchive) -> None:
    content = os.urandom(5000) * 500
    entry = Entry("f", FILE, size=len(content))
    dribbled = PackedEntry(entry=entry, open=lambda: Dribble(content))
    assert packed(archive, dribbled) == packed(archive, with_content(entry, content))


def test_a_gzip_header_tells_neither_time_nor_name(archive: LayerArchive) -> None:
    _, blob = packed(archive, a_file("f", b"x"))
    assert blob[:10] == bytes.fromhex("1f8b08000000000000ff")


def test_times_are_whole_seconds_and_not_after_the_epoch(archive: LayerArchive) -> None:
    layer, _ = packed(
        archive,
        a_file("a", mtime=5 * SECOND + 123),
        a_file("b", mtime=500 * SECOND + 123),
        a_file("c", mtime=-1),
        epoch=100,
    )
    assert [entry.mtime for entry in layer.index] == [5 * SECOND, 100 * SECOND, -SECOND]


def test_files_are_hashed_on_the_way(archive: LayerArchive) -> None:
    layer, _ = packed(archive, a_file("a", b"abc"), a_file("b"))
    assert [entry.digest for entry in layer.index] == [
        hashlib.sha256(content).hexdigest() for content in (b"abc", b"")
    ]


def test_sockets_are_left_out(archive: LayerArchive) -> None:
    layer, _ = packed(archive, PackedEntry(entry=Entry("s", SOCKET)))
    assert str(layer.layer.diff_id) == EMPTY_DIFF_ID


@pytest.mark.parametrize("size", [10, (2 << 20) + 10])
@pytest.mark.parametrize("difference", [-10, -1, 1, 600])
def test_a_file_that_changes_size_aborts_the_blob(
    archive: LayerArchive, size: int, difference: int
) -> None:
    blob = SlowFull(room=10**9)
    content = bytes(size + difference)
    entry = Entry("f", FILE, size=size)
    with pytest.raises(ContextFileChanged):
        archive.pack([PackedEntry(entry=entry, open=lambda: io.BytesIO(content))], blob)
    assert blob.aborted


def test_a_full_store_aborts_the_blob(archive: LayerArchive) -> None:
    blob = SlowFull(room=50_000)
    with pytest.raises(StoreFull):
        archive.pack((a_file(str(n), os.urandom(3000)) for n in range(10_000)), blob)
    assert blob.aborted


def test_an_error_among_the_entries_aborts_the_blob(archive: LayerArchive) -> None:
    def entries() -> Iterator[PackedEntry]:
        yield a_file("a", b"a")
        raise KeyError("b")

    blob = SlowFull(room=10**9)
    with pytest.raises(KeyError):
        archive.pack(entries(), blob)
    assert blob.aborted


names = st.text(
    st.characters(blacklist_characters="/\0", blacklist_categories=()), min_size=1, max_size=120
).filter(lambda name: name not in (".", "..") and ".wh." not in name)
paths = st.lists(names, min_size=1, max_size=4).map("/".join)


def encodable(text: str) -> bool:
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape") == text
    except UnicodeEncodeError:
        return False


entries = st.builds(
    Entry,
    paths.filter(encodable),
    st.sampled_from([FILE, DIRECTORY, SYMLINK, FIFO]),
    st.integers(0, 0o7777),
    st.integers(0, 2**32 - 2),
    st.integers(0, 2**32 - 2),
    st.just(0),
    st.integers(-(10**10), 10**11).map(lambda seconds: seconds * SECOND),
    st.just(""),
    st.just((0, 0)),
    st.dictionaries(
        st.from_regex(r"user\.[a-z]{1,20}", fullmatch=True).filter(
            lambda name: not name.startswith("user.img")
        ),
        st.binary(max_size=200),
        max_size=3,
    ).map(lambda xattrs: tuple(sorted(xattrs.items()))),
).map(lambda entry: entry._replace(link="to" * 70) if entry.kind == SYMLINK else entry)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(entries, st.binary(max_size=2000)), max_size=6))
def test_whatever_is_packed_is_indexed_and_read_the_same(
    items: list[tuple[Entry, bytes]],
) -> None:
    archive = TarLayerArchive()
    layer, blob = packed(
        archive,
        *(
            with_content(entry, content) if entry.kind == FILE else PackedEntry(entry=entry)
            for entry, content in items
        ),
    )
    assert archive.index(io.BytesIO(blob)) == (layer.layer.diff_id, layer.index)
    with tarfile.open(fileobj=io.BytesIO(blob), encoding="utf-8") as read:
        assert [(m.name, m.mode, m.uid, m.gid, m.mtime) for m in read.getmembers()] == [
            (e.path, e.mode, e.uid, e.gid, e.mtime // SECOND) for e, _ in items
        ]


# index


def skippable(number: int, content: bytes) -> bytes:
    """Return a frame that zstd decoders pass over (RFC 8878, 3.1.2)."""
    return bytes([number]) + b"\x2a\x4d\x18" + len(content).to_bytes(4, "little") + content


def stargz_footer(offset: int) -> bytes:
    """Return an empty gzip member that says where the table of contents is (eStargz, "Footer")."""
    extra = b"SG" + (22).to_bytes(2, "little") + f"{offset:016x}STARGZ".encode()
    header = b"\x1f\x8b\x08\x04" + bytes(4) + b"\0\xff" + len(extra).to_bytes(2, "little")
    return header + extra + b"\x01\0\0\xff\xff" + bytes(8)


LAYER = a_tar(info("d", tarfile.DIRTYPE), (info("d/f"), b"content"), (info("g"), b"g" * 5000))
COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "none": lambda data: data,
    "gzip": gzip.compress,
    "gzip of two members": lambda data: gzip.compress(data[:700]) + gzip.compress(data[700:]),
    "padded gzip": lambda data: gzip.compress(data) + bytes(1000),
    "zstd": zstandard.compress,
    "zstd of two frames": lambda data: zstandard.compress(data[:9]) + zstandard.compress(data[9:]),
    "zstd with skippable frames": lambda data: (
        b"\x50\x2a\x4d\x18\x03\0\0\0abc" + zstandard.compress(data) + b"\x5f\x2a\x4d\x18\0\0\0\0"
    ),
    "zstd:chunked": lambda data: (
        zstandard.compress(data[:700])
        + zstandard.compress(data[700:])
        + skippable(0x50, zstandard.compress(b'{"version":1,"entries":[]}'))
        + skippable(0x50, bytes(56) + b"GNUlInUx")  # its footer (containers/storage, chunked)
    ),
    "eStargz": lambda data: (
        gzip.compress(data[:700]) + gzip.compress(data[700:]) + stargz_footer(len(data))
    ),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_compression_is_told_by_its_magic(archive: LayerArchive, compression: str) -> None:
    diff_id, index = archive.index(io.BytesIO(COMPRESSIONS[compression](LAYER)))
    assert diff_id == Digest.of(LAYER)
    assert [(entry.path, entry.size, entry.digest) for entry in index] == [
        ("d", 0, ""),
        ("d/f", 7, hashlib.sha256(b"content").hexdigest()),
        ("g", 5000, hashlib.sha256(b"g" * 5000).hexdigest()),
    ]
    assert LAYER[index.entries[1].offset :].startswith(b"content")


def test_the_diff_id_counts_what_follows_the_end_of_the_archive(archive: LayerArchive) -> None:
    layer = LAYER + b"trailing" * 1000
    assert archive.index(io.BytesIO(gzip.compress(layer)))[0] == Digest.of(layer)


def test_no_bytes_at_all_are_an_empty_layer(archive: LayerArchive) -> None:
    assert archive.index(io.BytesIO(b"")) == (Digest.of(b""), FileIndex(()))


@pytest.mark.parametrize("compression", sorted(COMPRESSIONS.keys() - {"none"}))
def test_truncated_compressed_layers_are_refused(archive: LayerArchive, compression: str) -> None:
    blob = COMPRESSIONS[compression](LAYER).rstrip(b"\0")
    for length in range(12, len(blob) - 8, 11):
        if compression.endswith("frames") and length < 20:
            continue  # between two frames nothing is missing
        with pytest.raises(InvalidLayer):
            archive.index(io.BytesIO(blob[:length]))


def test_truncated_layers_are_refused(archive: LayerArchive) -> None:
    for length in (1, 511, 513, 1025, 1536 + 3, 4000):
        with pytest.raises(InvalidLayer):
            archive.index(io.BytesIO(LAYER[:length]))


def test_a_damaged_header_is_refused(archive: LayerArchive) -> None:
    with pytest.raises(InvalidLayer):
        archive.index(io.BytesIO(LAYER.replace(b"d/f", b"d/e")))


def test_a_damaged_gzip_is_refused(archive: LayerArchive) -> None:
    blob = bytearray(gzip.compress(LAYER))
    blob[-6] ^= 1
    with pytest.raises(InvalidLayer):
        archive.index(io.BytesIO(blob))


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=3000), st.integers(0, len(LAYER)), st.sampled_from(list(COMPRESSIONS)))
def test_any_bytes_are_an_index_or_refused(noise: bytes, at: int, compression: str) -> None:
    compress = COMPRESSIONS[compression]
    damaged = LAYER[:at] + noise + LAYER[at + len(noise) :]
    blob = compress(LAYER)
    for layer in (noise, damaged, compress(noise), blob[:at] + noise + blob[at + len(noise) :]):
        try:
            TarLayerArchive().index(io.BytesIO(layer))
        except InvalidLayer:
            continue


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.tuples(st.integers(0, 511), st.integers(0, 255)), min_size=1, max_size=20),
    st.integers(0, 3),
)
def test_any_header_is_an_entry_or_refused(edits: Sequence[tuple[int, int]], block: int) -> None:
    layer = bytearray(LAYER)
    start = block * 512
    for position, value in edits:
        layer[start + position] = value
    total = sum(layer[start : start + 148]) + 256 + sum(layer[start + 156 : start + 512])
    layer[start + 148 : start + 156] = b"%06o\0 " % total
    with contextlib.suppress(InvalidLayer):
        TarLayerArchive().index(io.BytesIO(layer))


@pytest.mark.parametrize("name", ["../f", "/../f", "a/../../f", "..", "a/b/../../../f"])
def test_names_that_lead_out_are_refused(archive: LayerArchive, name: str) -> None:
    with pytest.raises(InvalidLayer):
        index_of(archive, a_tar(info(name)))
    with pytest.raises(InvalidLayer):
        index_of(archive, a_tar(info("l", tarfile.LNKTYPE, name)))


@pytest.mark.parametrize(
    "name", ["./a/b", "/a/b", "a//b", "a/./b", "//a/b", "././a/b", "a/c/../b", "a/b/."]
)
def test_names_are_cleaned(archive: LayerArchive, name: str) -> None:
    assert [entry.path for entry in index_of(archive, a_tar(info(name)))] == ["a/b"]


@pytest.mark.parametrize("name", [".wh.", ".wh..", ".wh...", "a/.wh..."])
def test_whiteouts_of_no_name_are_refused(archive: LayerArchive, name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidLayer):
        index_of(archive, a_tar(info(name)))
    with pytest.raises(InvalidLayer):
        unpack(archive, a_tar(info(name)), tmp_path)


def test_private_attributes_are_dropped(archive: LayerArchive) -> None:
    member = info("d", tarfile.DIRTYPE)
    member.pax_headers = {
        "SCHILY.xattr.user.overlay.opaque": "y",
        "SCHILY.xattr.trusted.overlay.redirect": "/etc",
        "SCHILY.xattr.user.img.dev": "c 1:3",
        "SCHILY.xattr.user.mine": "1",
    }
    assert index_of(archive, a_tar(member)).entries[0].xattrs == (("user.mine", b"1"),)


def test_a_reading_error_comes_through(archive: LayerArchive) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        archive.index(Broken())


# contents


def test_contents_come_in_the_order_of_their_offsets(archive: LayerArchive) -> None:
    layer, blob = packed(
        archive, a_file("a", b"1" * 3_000_000), a_file("b", b"22"), a_file("c", b"333")
    )
    by_path = {entry.path: entry for entry in layer.index}
    wanted = {by_path[path].offset: by_path[path].size for path in ("c", "a")}
    found = [(at, each.read()) for at, each in archive.contents(io.BytesIO(blob), wanted)]
    assert found == [(by_path["a"].offset, b"1" * 3_000_000), (by_path["c"].offset, b"333")]


def test_contents_that_are_not_there_are_refused(archive: LayerArchive) -> None:
    with pytest.raises(InvalidLayer):
        for _, content in archive.contents(io.BytesIO(LAYER), {10**6: 5}):
            content.read()


def test_contents_can_be_given_up_half_way(archive: LayerArchive) -> None:
    _, blob = packed(archive, a_file("a", os.urandom(30 << 20)))
    found = archive.contents(io.BytesIO(blob), {512: 10, 2000: 10})
    next(found)
    found.close()  # type: ignore[attr-defined]


# foreign


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_foreign_archive_gives_entries_and_contents(
    archive: LayerArchive, compression: str
) -> None:
    found = archive.foreign(io.BytesIO(COMPRESSIONS[compression](LAYER)))
    assert found is not None
    listed = [(entry.path, entry.kind, entry.offset, content.read()) for entry, content in found]
    assert listed == [
        ("d", DIRECTORY, -1, b""),
        ("d/f", FILE, -1, b"content"),
        ("g", FILE, -1, b"g" * 5000),
    ]


def test_contents_of_a_foreign_archive_may_be_skipped(archive: LayerArchive) -> None:
    found = archive.foreign(io.BytesIO(LAYER))
    assert found is not None
    assert [entry.path for entry, _ in found] == ["d", "d/f", "g"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text" * 500,
        bytes(10240),
        gzip.compress(b"text" * 500, mtime=0),
        b"\x1f\x8b" + b"x" * 2000,
        b"BZh" + b"x" * 2000,
        b"\xfd7zXZ\0",
    ],
)
def test_what_is_no_archive_is_said_to_be_none(archive: LayerArchive, content: bytes) -> None:
    file = io.BytesIO(content)
    assert archive.foreign(file) is None
    assert file.tell() == 0


def test_whiteout_names_mean_nothing_in_foreign_archives(archive: LayerArchive) -> None:
    found = archive.foreign(io.BytesIO(a_tar(info(".wh.."), info(".wh.x"))))
    assert found is not None
    assert [entry.path for entry, _ in found] == [".wh..", ".wh.x"]


# unpack

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="owners and devices need root")


@as_root
def test_unpacking_sets_everything_exactly(archive: LayerArchive, tmp_path: Path) -> None:
    _, blob = packed(archive, *(each for each in EVERY_KIND if each.entry.path != "d/ids"))
    unpack(archive, blob, tmp_path)
    for each in EVERY_KIND:
        entry = each.entry
        if entry.path == "d/ids" or entry.kind == HARDLINK:
            continue
        path = os.fsencode(tmp_path) + b"/" + entry.path.encode("utf-8", "surrogateescape")
        status = os.lstat(path)
        assert (status.st_uid, status.st_gid) == (entry.uid, entry.gid)
        assert status.st_mtime_ns == entry.mtime
        if entry.kind != SYMLINK:
            assert stat.S_IMODE(status.st_mode) == entry.mode
        else:
            assert os.readlink(path) == entry.link.encode()
        if entry.kind == FILE and entry.path != "d/small":
            assert each.open is not None
            with open(path, "rb") as content:
                assert content.read() == each.open().read()
        if entry.kind in (CHARACTER, BLOCK):
            assert (os.major(status.st_rdev), os.minor(status.st_rdev)) == entry.device
    assert os.getxattr(tmp_path / "d/small", "security.capability") == CAPABILITY
    assert os.stat(tmp_path / "d/u").st_ino == os.stat(tmp_path / "d/small").st_ino


def test_parents_keep_their_times(archive: LayerArchive, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    os.utime(tmp_path / "there", (7, 7))
    os.utime(tmp_path, (8, 8))
    unpack(archive, a_tar((info("there/new/f"), b"x"), info("there/.wh.gone")), tmp_path)
    assert (tmp_path / "there").stat().st_mtime == 7
    assert tmp_path.stat().st_mtime == 8
    assert (tmp_path / "there/new").stat().st_mtime == 0


def test_implied_parents_look_as_they_do_below(archive: LayerArchive, tmp_path: Path) -> None:
    below = {"a": Entry("a", DIRECTORY, 0o2750, mtime=9 * SECOND)}
    unpack(archive, a_tar((info("a/b/f"), b"x")), tmp_path, overlay=True, implied=below.get)
    assert (tmp_path / "a").stat().st_mtime == 9
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o2750
    assert stat.S_IMODE((tmp_path / "a/b").stat().st_mode) == 0o755
    assert (tmp_path / "a/b").stat().st_mtime == 0


@pytest.mark.parametrize("overlay", [False, True], ids=["applied", "overlay"])
@pytest.mark.parametrize("evil", EVIL)
def test_nothing_is_touched_outside(
    archive: LayerArchive, tmp_path: Path, evil: str, overlay: bool
) -> None:
    outside = Outside(tmp_path)
    root = tmp_path / "root"
    root.mkdir()
    with contextlib.suppress(InvalidLayer):
        unpack(archive, EVIL[evil](str(outside.path)), root, overlay=overlay)
    outside.assert_untouched(evil)
    assert sorted(os.listdir(tmp_path)) == ["outside", "root"]


def test_a_hard_link_to_nothing_is_refused(archive: LayerArchive, tmp_path: Path) -> None:
    layer = a_tar(info("h", tarfile.LNKTYPE, "nothing"))
    for overlay in (False, True):
        with pytest.raises(InvalidLayer):
            unpack(archive, layer, tmp_path, overlay=overlay)


def test_links_in_a_circle_are_refused(archive: LayerArchive, tmp_path: Path) -> None:
    layer = a_tar(
        info("a", tarfile.SYMTYPE, "b"), info("b", tarfile.SYMTYPE, "a"), (info("a/f"), b"x")
    )
    with pytest.raises(InvalidLayer):
        unpack(archive, layer, tmp_path)


def test_a_truncated_layer_does_not_unpack(archive: LayerArchive, tmp_path: Path) -> None:
    with pytest.raises(InvalidLayer):
        unpack(archive, gzip.compress(LAYER)[:-20], tmp_path)


def test_whiteouts_hide_the_layers_below_and_nothing_else(
    archive: LayerArchive, tmp_path: Path
) -> None:
    below = a_tar((info("d/lower/f"), b"x"), (info("d/f"), b"x"), (info("e/f"), b"x"))
    layer = a_tar(
        (info("d/lower/new"), b"new"),
        (info("d/f"), b"new"),
        info("d/.wh.f"),
        info("d/.wh.lower"),
        info("e/.wh.f"),
    )
    unpack(archive, below, tmp_path)
    unpack(archive, layer, tmp_path)
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    assert found == ["d", "d/f", "d/lower", "d/lower/new", "e"]
    assert (tmp_path / "d/f").read_text() == "new"


@as_root
def test_overlay_whiteouts_are_devices_and_attributes(
    archive: LayerArchive, tmp_path: Path
) -> None:
    layer = a_tar(
        info("d", tarfile.DIRTYPE), info("d/.wh.gone"), info("o/.wh..wh..opq"), info(".wh.o2")
    )
    there = {path: Entry(path, DIRECTORY, 0o755) for path in ("d", "o")}
    unpack(archive, layer, tmp_path, overlay=True, implied=there.get)
    for name in ("d/gone", ".wh.o2".removeprefix(".wh.")):
        status = (tmp_path / name).lstat()
        assert stat.S_ISCHR(status.st_mode)
        assert status.st_rdev == 0
    assert os.getxattr(tmp_path / "o", "user.overlay.opaque") == b"y"


@pytest.mark.parametrize("names", [["d/.wh..wh..opq", "d/.wh.x"], ["d/.wh.x", "d/.wh..wh..opq"]])
@as_root
def test_opaque_directories_hold_no_whiteouts_that_the_kernel_would_show(
    archive: LayerArchive, tmp_path: Path, names: list[str]
) -> None:
    there = {"d": Entry("d", DIRECTORY, 0o755)}
    unpack(archive, a_tar(*map(info, names)), tmp_path, overlay=True, implied=there.get)
    assert os.listdir(tmp_path / "d") == []


@as_root
def test_whiteouts_where_nothing_is_below_leave_nothing(
    archive: LayerArchive, tmp_path: Path
) -> None:
    unpack(archive, a_tar(info("d/.wh.x"), info("e", tarfile.DIRTYPE)), tmp_path, overlay=True)
    assert os.listdir(tmp_path) == ["e"]


@as_root
def test_a_directory_over_its_own_whiteout_is_opaque(archive: LayerArchive, tmp_path: Path) -> None:
    layer = a_tar(info(".wh.d"), info("d", tarfile.DIRTYPE), (info("d/f"), b"x"))
    turned = a_tar(info("d", tarfile.DIRTYPE), (info("d/f"), b"x"), info(".wh.d"))
    for number, each in enumerate((layer, turned)):
        root = tmp_path / str(number)
        root.mkdir()
        unpack(archive, each, root, overlay=True)
        assert os.getxattr(root / "d", "user.overlay.opaque") == b"y"
        assert (root / "d/f").read_text() == "x"


def test_links_of_the_layers_below_are_followed(archive: LayerArchive, tmp_path: Path) -> None:
    below = {"real": Entry("real", DIRECTORY, 0o750)}
    unpack(
        archive,
        a_tar((info("l/y"), b"y"), (info("l/sub/z"), b"z")),
        tmp_path,
        overlay=True,
        place=lambda path: path.replace("l/", "real/", 1) if path.startswith("l/") else path,
        implied=below.get,
    )
    assert (tmp_path / "real/y").read_text() == "y"
    assert (tmp_path / "real/sub/z").read_text() == "z"
    assert not (tmp_path / "l").exists()
    assert stat.S_IMODE((tmp_path / "real").stat().st_mode) == 0o750


def test_a_hard_link_to_a_file_below_takes_a_copy(archive: LayerArchive, tmp_path: Path) -> None:
    def below(path: str) -> tuple[Entry, BinaryIO] | None:
        found = Entry("a", FILE, 0o640, mtime=3 * SECOND), io.BytesIO(b"lower")
        return found if path == "a" else None

    archive.unpack(
        io.BytesIO(a_tar(info("b", tarfile.LNKTYPE, "a"))),
        str(tmp_path),
        overlay=True,
        place=lambda path: path,
        implied=lambda _: None,
        below=below,
    )
    assert (tmp_path / "b").read_text() == "lower"
    assert (tmp_path / "b").stat().st_mtime == 3
    assert (tmp_path / "a").stat().st_ino == (tmp_path / "b").stat().st_ino


@as_root
def test_a_device_that_would_be_an_overlay_whiteout_is_refused(
    archive: LayerArchive, tmp_path: Path
) -> None:
    _, blob = packed(archive, PackedEntry(entry=Entry("c", CHARACTER, device=(0, 0))))
    with pytest.raises(InvalidLayer):
        unpack(archive, blob, tmp_path, overlay=True)
