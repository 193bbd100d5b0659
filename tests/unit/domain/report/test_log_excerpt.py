"""Excerpts of the output of steps."""

import pytest

from img.domain.report.log_excerpt import LogExcerpt, excerpts_of, shares

LINES = b"".join(b"line %03d\n" % number for number in range(1000))


def excerpt(data: bytes, budget: int, piece: int = 100) -> LogExcerpt:
    pieces = [(0, data[at : at + piece]) for at in range(0, len(data), piece)]
    return excerpts_of({0: len(data)}, pieces, budget)[0]


def test_short_output_is_complete_and_safe() -> None:
    found = excerpt(b"\x1b[31mred\x1b[0m\r\nold\rnew\n\x1b[2J\xff</script>\n", 1000)

    assert found == LogExcerpt(first="red\nnew\n\\x1b[2J\ufffd</script>\n", size=37)


@pytest.mark.parametrize("piece", [1, 7, 100, 100_000])
def test_of_long_output_the_first_and_the_last_lines_are_kept(piece: int) -> None:
    found = excerpt(LINES, 400, piece)

    assert found.first.splitlines() == [f"line {number:03}" for number in range(11)]
    assert found.last.splitlines() == [f"line {number:03}" for number in range(967, 1000)]
    assert len(found.first) + len(found.last) + found.left_out == found.size == len(LINES)


def test_a_line_without_end_is_cut() -> None:
    found = excerpt(b"x" * 10_000, 400)

    assert (len(found.first), len(found.last), found.left_out) == (100, 300, 9600)


def test_short_logs_are_complete_and_long_ones_share_the_rest() -> None:
    assert shares({0: 10, 1: 5000, 2: 100, 3: 7000}, 1000) == {0: 10, 2: 100, 1: 445, 3: 445}
    assert shares({0: 10, 1: 20}, 0) == {0: 0, 1: 0}
    assert shares({}, 100) == {}


def test_several_logs_are_separated_and_later_ones_left_out() -> None:
    pieces = [(0, b"a"), (1, b"b"), (7, b"later"), (0, b"c")]

    found = excerpts_of({0: 2, 1: 1}, pieces, 100)

    assert {log: each.first for log, each in found.items()} == {0: "ac", 1: "b"}
