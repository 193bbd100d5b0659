"""Patterns mean what they mean in Go."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from img.domain.bake.regexp.machine import compile_regexp
from img.domain.bake.regexp.parser import BadRegexp

_PIECES = st.sampled_from(
    ["a", "b", ".", "(a|b)", "[ab]", "[^a]", "(?:ab)", "^", "$", r"\d", r"\w"]
)
_REPEATS = st.sampled_from(["", "", "*", "+", "?", "*?", "+?", "{2}", "{1,2}"])


def _free(_: int) -> None:
    """Count no work."""


@given(st.lists(st.tuples(_PIECES, _REPEATS), max_size=5), st.text("ab1\n", max_size=8))
@settings(deadline=None)
def test_matches_are_those_of_python_where_the_dialects_agree(
    pieces: list[tuple[str, str]], text: str
) -> None:
    pattern = "".join(p if p in "^$" else p + repeat for p, repeat in pieces)
    found = compile_regexp(pattern).find(text, 0, _free)
    # Python's $ is also before a last line break.
    expected = re.search(pattern.replace("$", r"\Z"), text, re.ASCII)

    assert (found and found[:2]) == (expected and expected.span())


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        "a**",
        "[",
        r"\1",
        "(?=a)",
        "a{2,1}",
        "a{1001}",
        r"\pX",
        "(?P<n>a)(?P<n>b)",
        "*",
        "[b-a]",
        "(" * 2000,
    ],
)
def test_what_go_refuses_is_refused(pattern: str) -> None:
    with pytest.raises(BadRegexp):
        compile_regexp(pattern)


def test_nested_repeats_take_linear_time() -> None:
    steps: list[int] = []
    assert compile_regexp("(a+)+$").find("a" * 2_000 + "b", 0, steps.append) is None
    assert sum(steps) < 50_000
