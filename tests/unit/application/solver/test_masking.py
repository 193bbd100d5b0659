"""Secrets kept out of what commands print."""

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.application.solver.masking import MaskedOutput

SECRET = b"hunter2-and-more"


def printed(secrets: list[bytes], *chunks: tuple[int, bytes]) -> dict[int, bytes]:
    """Return the masked output of each stream for ``chunks``."""
    streams: dict[int, bytes] = defaultdict(bytes)

    def output(stream: int, data: bytes) -> None:
        streams[stream] += data

    masked = MaskedOutput(output, secrets)
    for stream, data in chunks:
        masked(stream, data)
    masked.end()
    return dict(streams)


def test_a_secret_is_replaced_wherever_it_stands() -> None:
    assert printed([SECRET], (1, b"a " + SECRET + b" b " + SECRET)) == {1: b"a **** b ****"}


@given(st.integers(1, len(SECRET) - 1))
def test_a_secret_that_comes_in_two_pieces_is_replaced(cut: int) -> None:
    assert printed([SECRET], (1, b"x" + SECRET[:cut]), (1, SECRET[cut:] + b"y")) == {1: b"x****y"}


@given(st.lists(st.binary(max_size=5), max_size=20))
def test_all_else_comes_through_as_it_was(chunks: list[bytes]) -> None:
    given_all = b"".join(chunks)
    if SECRET not in given_all:
        out = printed([SECRET], *((1, chunk) for chunk in chunks))
        assert out.get(1, b"") == given_all


def test_streams_do_not_mix() -> None:
    out = printed([SECRET], (1, SECRET[:5]), (2, SECRET[5:]))

    assert out == {1: SECRET[:5], 2: SECRET[5:]}


def test_each_line_of_a_secret_is_one() -> None:
    key = b"-----BEGIN-----\nabcdefgh\n-----END-----\n"

    assert printed([key], (1, b"got abcdefgh here")) == {1: b"got **** here"}


@pytest.mark.parametrize("short", [b"", b"1", b"abc"])
def test_values_that_are_part_of_everything_are_left_alone(short: bytes) -> None:
    assert printed([short], (1, b"abc 1 abc")) == {1: b"abc 1 abc"}


def test_the_longer_of_two_secrets_wins() -> None:
    assert printed([b"password", b"password-2"], (1, b"password-2!")) == {1: b"****!"}
