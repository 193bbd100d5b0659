import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.adapters.layer_archive import pax
from img.application.ports.layer_archive import InvalidLayer

keys = st.binary(min_size=1, max_size=50).filter(lambda key: b"=" not in key)


@given(st.dictionaries(keys, st.binary(max_size=2000)))
def test_records_are_read_as_they_were_written(records: dict[bytes, bytes]) -> None:
    assert pax.parse(pax.render(records)) == records


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"1", 10**9),
        (b"1.5", 1_500_000_000),
        (b"-1.25", -1_250_000_000),
        (b"0.1234567899", 123_456_789),
        (b"7.", 7 * 10**9),
    ],
)
def test_times_have_nanoseconds(value: bytes, expected: int) -> None:
    assert pax.nanoseconds(value) == expected


@pytest.mark.parametrize("value", [b"", b"x", b"1e5", b"--1", b"1.2.3"])
def test_what_is_no_time_is_refused(value: bytes) -> None:
    with pytest.raises(InvalidLayer):
        pax.nanoseconds(value)


@pytest.mark.parametrize(
    "content", [b"x", b"5 a=b\n", b"6 a=b", b"99 a=b\n", b"5 abc\n", b"0 a=b\n", b" a=b\n"]
)
def test_broken_records_are_refused(content: bytes) -> None:
    with pytest.raises(InvalidLayer):
        pax.parse(content)
