"""Excerpts of a Dockerfile for errors."""

import pytest

from img.domain.dockerfile.excerpt import render_excerpt

TEXT = "\n".join(f"line {number}" for number in range(1, 10))


@pytest.mark.parametrize(
    ("lines", "shown"),
    [
        ((5, 5), [3, 4, 5, 6, 7]),
        ((1, 1), [1, 2, 3]),
        ((2, 2), [1, 2, 3, 4]),
        ((9, 9), [7, 8, 9]),
        ((4, 5), [3, 4, 5, 6]),
        ((1, 2), [1, 2, 3]),
        ((8, 9), [7, 8, 9]),
        ((1, 9), [*range(1, 10)]),
        ((0, 0), [1, 2, 3]),
        ((99, 99), [7, 8, 9]),
    ],
)
def test_as_many_lines_stand_around_as_buildkit_shows(
    lines: tuple[int, int], shown: list[int]
) -> None:
    name, rule, *excerpt, end = render_excerpt("Dockerfile", TEXT, lines).splitlines()

    assert [int(line.partition("|")[0]) for line in excerpt] == shown
    marked = [int(line.partition("|")[0]) for line in excerpt if ">>>" in line]
    first = min(max(lines[0], 1), 9)
    assert marked == [*range(first, min(max(lines[1], first), 9) + 1)]
    assert name == f"Dockerfile:{first}"
    assert rule == end == "-" * 20
