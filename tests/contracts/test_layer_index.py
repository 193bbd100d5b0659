"""The contract of layer archives for reading."""

import bz2
import contextlib
import gzip
import hashlib
import io
import lzma
import os
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from img.adapters.layer_archive.tar import TarLayerArchive
from img.application.ports.layer_archive import (
    InvalidLayer,
    LayerArchive,
)
from img.domain.digest import Digest
from img.domain.filesystem.entry import (
    DIRECTORY,
    FILE,
)
from img.domain.filesystem.file_index import FileIndex
from tests.support.images.evil_archives import a_tar, info
from tests.support.images.layer_archives import LAYER, a_file, index_of, packed, unpack


def skippable(number: int, content: bytes) -> bytes:
    """Return a frame that zstd decoders pass over (RFC 8878, 3.1.2)."""
    return bytes([number]) + b"\x2a\x4d\x18" + len(content).to_bytes(4, "little") + content


def stargz_footer(offset: int) -> bytes:
    """Return an empty gzip member that says where the table of contents is (eStargz, "Footer")."""
    extra = b"SG" + (22).to_bytes(2, "little") + f"{offset:016x}STARGZ".encode()
    header = b"\x1f\x8b\x08\x04" + bytes(4) + b"\0\xff" + len(extra).to_bytes(2, "little")
    return header + extra + b"\x01\0\0\xff\xff" + bytes(8)


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
    assert LAYER[[*index][1].offset :].startswith(b"content")


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
    (entry,) = index_of(archive, a_tar(member))
    assert entry.xattrs == (("user.mine", b"1"),)


def test_a_reading_error_comes_through(archive: LayerArchive) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        archive.index(Broken())


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


@pytest.mark.parametrize("name", ["../f", "/../f", "a/../../f", "a/b/../../../f", "./../../f"])
def test_names_of_a_foreign_archive_lead_to_its_top_at_most(
    archive: LayerArchive, name: str
) -> None:
    found = archive.foreign(io.BytesIO(a_tar(info(name), info("l", tarfile.LNKTYPE, name))))
    assert found is not None
    file, link = [entry for entry, _ in found]
    assert (file.path, link.link) == ("f", "f")


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
