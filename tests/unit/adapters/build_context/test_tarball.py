"""Contexts from archives."""

import bz2
import gzip
import io
import lzma
import tarfile
import threading
from collections.abc import Callable, Sequence

import pytest
import zstandard

from img.adapters.build_context.tarball import TarContext
from img.adapters.layer_archive.tar import TarLayerArchive
from img.adapters.scratch_space.memory import MemoryScratchSpace
from img.domain.errors import ContextError


def member(name: str, content: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def archive_of(members: Sequence[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return content.getvalue()


def opened(content: bytes) -> TarContext | None:
    return TarContext.of(io.BytesIO(content), TarLayerArchive(), MemoryScratchSpace())


def context_of(*members: tuple[tarfile.TarInfo, bytes]) -> TarContext:
    context = opened(archive_of(members))
    assert context is not None
    return context


every_compression = pytest.mark.parametrize(
    "compress",
    [
        bytes,
        gzip.compress,
        bz2.compress,
        lzma.compress,
        lambda content: zstandard.ZstdCompressor().compress(content),
    ],
)


@every_compression
def test_an_archive_in_an_archive_can_be_unpacked(compress: Callable[[bytes], bytes]) -> None:
    inner = compress(archive_of([member("b", b"1" * 2000), member("c", b"2")]))
    context = context_of(member("a", b"before"), member("k.tar", inner), member("z", b"after"))

    with context.open("k.tar") as content:
        found = TarLayerArchive().foreign(content)
        assert found is not None
        unpacked = {entry.path: file.read() for entry, file in found}
    with context.open("z") as content:
        assert TarLayerArchive().foreign(content) is None

    assert unpacked == {"b": b"1" * 2000, "c": b"2"}


@every_compression
def test_every_compression_is_known_by_its_first_bytes(compress: Callable[[bytes], bytes]) -> None:
    context = opened(compress(archive_of([member("a", b"1")])))
    assert context is not None
    assert context.read_file("a") == b"1"


@pytest.mark.parametrize(
    "content", [b"", b"FROM scratch\n", gzip.compress(b"FROM scratch\n", mtime=0)]
)
def test_what_is_no_archive_is_none(content: bytes) -> None:
    assert opened(content) is None


def test_owners_and_modes_are_those_of_the_archive() -> None:
    context = context_of(member("a", b"1", mode=0o4750, uid=7, gid=8))
    entry = context.tree().get("a")
    assert entry is not None
    assert (entry.mode, entry.uid, entry.gid) == (0o4750, 7, 8)


def test_names_of_one_file_stay_together_and_others_apart() -> None:
    tree = context_of(
        member("a"),
        member("b", b"1"),
        member("c", type=tarfile.LNKTYPE, linkname="./b"),
        member("d"),
    ).tree()
    assert tree.inode("b") == tree.inode("c")
    assert len({tree.inode(path) for path in "abd"}) == 3


def test_a_later_file_of_a_name_takes_the_place_of_an_earlier() -> None:
    context = context_of(member("a", b"1"), member("a", b"22"))
    with context.open("a") as content:
        assert content.read() == b"22"


def test_links_among_parents_are_followed_inside() -> None:
    context = context_of(
        member("d", type=tarfile.DIRTYPE),
        member("l", type=tarfile.SYMTYPE, linkname="/d"),
        member("l/a", b"1"),
    )
    assert context.read_file("d/a") == b"1"


def test_names_that_are_whiteouts_in_layers_are_names() -> None:
    context = context_of(
        member("a"),
        member(".wh.a", b"1"),
        member("d", type=tarfile.DIRTYPE),
        member("d/.wh..wh..opq", b"2"),
        member("d/b", type=tarfile.LNKTYPE, linkname=".wh.a"),
    )

    assert [entry.path for entry in context.tree().walk("")] == [
        *("", ".wh.a", "a", "d", "d/.wh..wh..opq", "d/b"),
    ]
    assert context.read_file(".wh.a") == context.read_file("d/b") == b"1"


@pytest.mark.parametrize(
    "content",
    [
        archive_of([member("a", type=tarfile.LNKTYPE, linkname="nowhere")]),
        archive_of([member("a", b"1" * 5000)])[:2000],
    ],
)
def test_an_archive_that_is_damaged_is_refused(content: bytes) -> None:
    with pytest.raises(ContextError, match="damaged archive"):
        opened(content)


def test_a_name_that_climbs_stays_at_the_top() -> None:
    context = context_of(member("../../a", b"1"), member("b/../../c", b"2"))
    assert [entry.path for entry in context.tree().walk("")] == ["", "a", "c"]


def test_files_can_be_read_side_by_side() -> None:
    contents = {f"f{i}": bytes([i]) * 100_000 for i in range(8)}
    context = context_of(*(member(name, content) for name, content in contents.items()))
    read: dict[str, bytes] = {}

    def take(name: str) -> None:
        with context.open(name) as stream:
            parts = iter(lambda: stream.read(777), b"")
            read[name] = b"".join(parts)

    threads = [threading.Thread(target=take, args=(name,)) for name in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read == contents
