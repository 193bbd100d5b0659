"""Numbers and texts of archives are checked where they are read."""

import contextlib
import struct
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.adapters.layer_archive import records
from img.adapters.layer_archive.members import members
from img.adapters.layer_archive.stream import TarStream
from img.application.ports.layer_archive import InvalidLayer
from img.domain.filesystem.entry import Entry
from img.domain.filesystem.file_index import FileIndex

_CHECKSUM = slice(148, 156)
# Where the numbers of a header stand: mode, uid, gid, size, mtime, major, minor.
_FIELDS = [(100, 8), (108, 8), (116, 8), (124, 12), (136, 12), (329, 8), (337, 8)]


def read(content: bytes) -> list[Entry]:
    return list(members(TarStream(iter([content]))))


def sealed(block: bytes) -> bytes:
    blank = block[: _CHECKSUM.start] + b" " * 8 + block[_CHECKSUM.stop :]
    return block[: _CHECKSUM.start] + b"%06o\0 " % sum(blank) + block[_CHECKSUM.stop :]


def a_header(kind: bytes, fields: dict[int, bytes], **more: str) -> bytes:
    member = tarfile.TarInfo("f")
    member.type = kind
    member.pax_headers = more
    *before, block = _blocks(member.tobuf(tarfile.PAX_FORMAT))
    for at, value in fields.items():
        block = block[:at] + value + block[at + len(value) :]
    return b"".join([*before, sealed(block), bytes(1024)])


def _blocks(content: bytes) -> list[bytes]:
    return [content[at : at + 512] for at in range(0, len(content), 512)]


def base_256(number: int, length: int) -> bytes:
    value = (number + (1 << 8 * length)) % (1 << 8 * length) | 1 << 8 * length - 1
    return value.to_bytes(length, "big")


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE])
@pytest.mark.parametrize(
    ("major", "minor"), [(-1, 0), (0, -1), (4096, 0), (0, 1 << 20), (1 << 62, 1), (1, 1 << 62)]
)
def test_a_device_that_linux_has_not_is_refused(kind: bytes, major: int, minor: int) -> None:
    fields = {329: base_256(major, 8), 337: base_256(minor, 8)}
    with pytest.raises(InvalidLayer, match="which cannot be"):
        read(a_header(kind, fields))
    (entry,) = read(a_header(tarfile.REGTYPE, fields))
    assert entry.device == (0, 0)


@pytest.mark.parametrize("name", ["", "user.a\0b", "user." + "x" * 251, "\0"])
def test_an_attribute_that_no_file_can_have_is_refused(name: str) -> None:
    with pytest.raises(InvalidLayer, match="attribute"):
        read(a_header(tarfile.REGTYPE, {}, **{f"SCHILY.xattr.{name}": "v"}))


NUMBERS = st.integers(-(2**63), 2**63) | st.integers(-(2**95), 2**95)
VALUES = st.binary(max_size=12) | NUMBERS.map(lambda number: base_256(number, 12))
KINDS = st.sampled_from(b"0123456750\0xgLKVSZ").map(lambda kind: bytes([kind]))
KEYS = st.sampled_from(
    ["path", "linkpath", "uid", "gid", "size", "mtime", "SCHILY.xattr.user.a", "SCHILY.xattr."]
)
TEXTS = st.text(max_size=8) | NUMBERS.map(str) | st.sampled_from(["..", "/..", "\0", "a/../.."])


@given(
    KINDS,
    st.dictionaries(st.sampled_from(_FIELDS), VALUES),
    st.dictionaries(KEYS, TEXTS, max_size=4),
)
def test_whatever_an_archive_holds_it_is_refused_or_can_be_indexed_and_packed(
    kind: bytes, fields: dict[tuple[int, int], bytes], more: dict[str, str]
) -> None:
    values = {at: value[-size:].rjust(size, b"\0") for (at, size), value in fields.items()}
    try:
        content = a_header(kind, values, **more)
    except (ValueError, struct.error):  # tarfile cannot write it
        return
    with contextlib.suppress(InvalidLayer):
        entries = read(content)
        assert [*FileIndex.decode(FileIndex.of(entries).encode())] == [*entries]
        for entry in entries:
            records.render(entry[:10])
