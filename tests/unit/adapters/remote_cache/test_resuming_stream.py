"""Tests of downloads that go on where a connection broke."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.adapters.remote_cache.resuming_stream import BrokenTransfer, ResumingStream

CONTENT = bytes(range(256)) * 2


def a_stream(cuts: list[int], start: int = 0, size: int = len(CONTENT)) -> ResumingStream:
    """Return a stream; its connections end after these numbers of bytes, the last one never."""
    left = list(cuts)

    def chunks(position: int) -> Iterator[bytes]:
        end = position + left.pop(0) if left else len(CONTENT)
        for at in range(position, min(end, len(CONTENT)), 100):
            yield CONTENT[at : min(at + 100, end)]
        if end < len(CONTENT):
            raise BrokenTransfer("cut")

    return ResumingStream(chunks, start=start, size=size, sleep=lambda _: None)


@given(
    cuts=st.lists(st.integers(0, len(CONTENT)), max_size=3),
    start=st.integers(0, len(CONTENT)),
    size=st.integers(0, len(CONTENT)),
)
def test_three_broken_connections_lose_no_byte(cuts: list[int], start: int, size: int) -> None:
    start = min(start, size)

    assert a_stream(cuts, start, size).read() == CONTENT[start : size + 1]


def test_a_fourth_connection_without_bytes_is_the_last() -> None:
    with pytest.raises(BrokenTransfer):
        a_stream([0, 0, 0, 0]).read()
