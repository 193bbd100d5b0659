import io
import tarfile
from typing import Literal

import pytest

from img.adapters.layer_archive.members import clean_name, members
from img.adapters.layer_archive.stream import TarStream
from img.application.ports.layer_archive import InvalidLayer
from img.domain.filesystem.entry import DIRECTORY, FILE, Entry

Layout = Literal[0, 1, 2]


def read(content: bytes) -> list[Entry]:
    return list(members(TarStream(iter([content]))))


def a_tar(*members: tarfile.TarInfo, layout: Layout = tarfile.PAX_FORMAT) -> bytes:
    return b"".join(member.tobuf(layout) for member in members) + bytes(1024)


def a_member(name: str, kind: bytes = tarfile.REGTYPE, **fields: object) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = kind
    for field, value in fields.items():
        setattr(member, field, value)
    return member


@pytest.mark.parametrize("layout", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_names_links_and_large_numbers_are_read(layout: Layout) -> None:
    name, link = "n" * 150 + "/" + "m" * 150, "l" * 300
    member = a_member(name, tarfile.SYMTYPE, linkname=link, uid=2**31, gid=2**31 + 1)
    (entry,) = read(a_tar(member, layout=layout))
    assert (entry.path, entry.link, entry.uid, entry.gid) == (name, link, 2**31, 2**31 + 1)


def test_times_before_1970_and_parts_of_seconds_are_read() -> None:
    content = a_tar(a_member("a", mtime=-1.5), a_member("b", mtime=1.25))
    assert [entry.mtime for entry in read(content)] == [-1_500_000_000, 1_250_000_000]


def test_global_headers_mean_nothing_as_in_all_go_tools() -> None:
    header = tarfile.TarInfo.create_pax_global_header({"path": "evil", "comment": "x"})
    assert [entry.path for entry in read(header + a_tar(a_member("good")))] == ["good"]


def test_contiguous_files_are_files() -> None:
    (entry,) = read(a_tar(a_member("a", tarfile.CONTTYPE)))
    assert entry.kind == FILE


def test_a_v7_name_with_a_slash_at_its_end_is_a_directory() -> None:
    (entry,) = read(a_tar(a_member("a/", tarfile.AREGTYPE)))
    assert (entry.path, entry.kind) == ("a", DIRECTORY)


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_SPARSE, b"Z", b"M"])
def test_kinds_that_cannot_be_unpacked_are_refused(kind: bytes) -> None:
    with pytest.raises(InvalidLayer):
        read(a_tar(a_member("a", kind)))


def test_sparse_files_in_extended_headers_are_refused() -> None:
    member = a_member("a", pax_headers={"GNU.sparse.major": "1", "GNU.sparse.minor": "0"})
    with pytest.raises(InvalidLayer, match="sparse"):
        read(a_tar(member))


def test_an_extended_header_without_its_entry_is_refused() -> None:
    content = a_tar(a_member("n" * 300))
    with pytest.raises(InvalidLayer):
        read(content[: -1024 - 512])


def test_headers_larger_than_go_takes_are_refused() -> None:
    with pytest.raises(InvalidLayer):
        read(a_tar(a_member("a", pax_headers={"comment": "x" * (2 << 20)})))


@pytest.mark.parametrize("link", ["", "x\0y"])
def test_links_to_nothing_are_refused(link: str) -> None:
    member = a_member("a", tarfile.SYMTYPE, linkname="l", pax_headers={"linkpath": link})
    if not link:
        member = a_member("a", tarfile.SYMTYPE)
    with pytest.raises(InvalidLayer):
        read(a_tar(member))


def test_names_too_deep_for_anybody_are_refused() -> None:
    with pytest.raises(InvalidLayer):
        clean_name("a/" * 300)
    with pytest.raises(InvalidLayer):
        clean_name("a" * 5000)


def test_content_that_was_not_taken_is_skipped() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as out:
        for name in "ab":
            out.addfile(a_member(name, size=700), io.BytesIO(bytes(700)))
    assert [entry.offset for entry in read(buffer.getvalue())] == [512, 2048]


def test_headers_and_extensions_have_a_largest_sum() -> None:
    plain = a_tar(*(a_member("a", tarfile.DIRTYPE) for _ in range(10)))
    long = a_tar(*(a_member("n" * 3000) for _ in range(2)))
    for content, most in ((plain, 10 * 512), (long, 4 * 512 + 2 * 3011)):
        stream = TarStream(iter([content]))
        assert list(members(stream, most_headers=most))
        stream = TarStream(iter([content]))
        with pytest.raises(InvalidLayer, match=f"have more than {most - 1} bytes"):
            list(members(stream, most_headers=most - 1))
