import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.adapters.layer_archive import header
from img.application.ports.layer_archive import InvalidLayer


def with_checksum(block: bytearray) -> bytes:
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def a_block(**fields: object) -> bytearray:
    values: dict[str, object] = {
        "name": b"f",
        "mode": 0o644,
        "uid": 0,
        "gid": 0,
        "size": 0,
        "mtime": 0,
        "kind": b"0",
    }
    return bytearray(header.render(**(values | fields)))  # type: ignore[arg-type]


def test_what_is_rendered_parses_the_same() -> None:
    block = header.render(
        name=b"name",
        prefix=b"some/where",
        mode=0o4755,
        uid=1000,
        gid=2000,
        size=12345,
        mtime=1700000000,
        kind=b"3",
        link=b"elsewhere",
        device=(1, 3),
    )
    assert len(block) == header.BLOCK
    assert header.parse(block) == header.Header(
        b"some/where/name", 0o4755, 1000, 2000, 12345, 1700000000, b"3", b"elsewhere", (1, 3)
    )


def test_a_v7_header_has_no_prefix() -> None:
    block = a_block(prefix=b"junk")
    block[257:265] = bytes(8)
    assert header.parse(with_checksum(block)).name == b"f"


def test_a_gnu_header_has_times_where_the_prefix_is() -> None:
    block = a_block(prefix=b"12345670123")
    block[257:265] = b"ustar  \0"
    assert header.parse(with_checksum(block)).name == b"f"


@given(st.integers(-(2**39), 2**39))
def test_numbers_in_base_256_are_read(value: int) -> None:
    raw = (value + (1 << 96 if value < 0 else 1 << 95)).to_bytes(12, "big")
    assert header.number(raw) == value


@pytest.mark.parametrize("field", [b"0000644\0", b"   644 \0", b"644\0junk", b" 644", b"00000644"])
def test_octal_numbers_are_read_as_everybody_writes_them(field: bytes) -> None:
    assert header.number(field) == 0o644


@pytest.mark.parametrize("field", [b"9999999\0", b"x", b"12 34", b"0x12"])
def test_what_is_no_number_is_refused(field: bytes) -> None:
    with pytest.raises(InvalidLayer):
        header.number(field)


def test_a_negative_size_is_refused() -> None:
    block = a_block()
    block[124:136] = b"\xff" * 12
    with pytest.raises(InvalidLayer):
        header.parse(with_checksum(block))


def test_signed_checksums_of_old_tars_are_good() -> None:
    block = a_block()
    block[0:4] = b"\xff\xfe\xfd\xfc"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(struct.unpack("512b", block))
    assert header.parse(bytes(block)).name == b"\xff\xfe\xfd\xfc"


@given(st.binary(min_size=512, max_size=512))
def test_checksums_are_those_of_the_sum_of_all_bytes(noise: bytes) -> None:
    assert header.is_header(with_checksum(bytearray(noise)))


def test_zeros_are_no_header() -> None:
    assert not header.is_header(header.END)
    assert not header.is_header(b"short")
