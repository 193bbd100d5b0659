"""The contract of layer archives for packing."""

import gzip
import hashlib
import io
import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from img.adapters.layer_archive.tar import TarLayerArchive
from img.application.ports.blob_store import StoreFull
from img.application.ports.build_context import ContextFileChanged
from img.application.ports.layer_archive import (
    LayerArchive,
    PackedEntry,
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
from img.domain.oci.media_types import OCI_LAYER_GZIP
from tests.support.images.layer_archives import (
    EMPTY_DIFF_ID,
    EVERY_KIND,
    SECOND,
    SlowFull,
    a_file,
    packed,
    with_content,
)


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


@pytest.mark.skipif(os.geteuid() != 0, reason="devices need root")
@pytest.mark.parametrize("owners", [True, False])
def test_a_device_outside_of_the_state_is_roots_alone_unless_it_is_harmless(
    archive: LayerArchive, tmp_path: Path, owners: bool
) -> None:
    acl = ("system.posix_acl_access", b"not looked at")
    devices = {
        "disk": Entry("disk", BLOCK, 0o666, 33, 33, device=(7, 77), xattrs=(acl,)),
        "memory": Entry("memory", CHARACTER, 0o644, 33, 33, device=(1, 1)),
        "null": Entry("null", CHARACTER, 0o666, 33, 33, device=(1, 3)),
    }
    try:
        os.mknod(tmp_path / "probe", stat.S_IFBLK | 0o600, os.makedev(7, 77))
    except PermissionError:
        pytest.skip("this root may not make devices")

    archive.write_files(
        [PackedEntry(entry=entry) for entry in devices.values()], str(tmp_path), owners=owners
    )

    found = {name: (tmp_path / name).lstat() for name in devices}
    assert {name: oct(stat.S_IMODE(each.st_mode)) for name, each in found.items()} == {
        "disk": "0o600",
        "memory": "0o600",
        "null": "0o666",
    }
    assert found["disk"].st_uid == found["memory"].st_uid == 0
    assert found["null"].st_uid == (33 if owners else 0)
    assert found["disk"].st_rdev == os.makedev(7, 77)


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
