"""Expressions with many wildcards: the same answers as ``re``, and soon."""

import re
import time
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.domain.dockerfile.ignore import BadIgnorePattern, IgnoreMatcher
from img.domain.dockerfile.many_stars import ManyStars

ALWAYS = -1  # wildcards that are too many
_ATOMS = ("a", "b", r"\.", "[^/]", "[ab]", "[^a]", "[]a]", "a{2}", "b{0,2}", "[ab]{1,}", "^", "/")
_STARS = ("[^/]*", "(?:.*/)?", ".*", "|")
EXPRESSIONS = st.lists(st.sampled_from(_ATOMS + _STARS), max_size=8).map("".join)
TEXTS = st.text(alphabet="aab./", max_size=9)


@given(EXPRESSIONS, TEXTS)
def test_answers_are_those_of_the_usual_way(expression: str, text: str) -> None:
    with warnings.catch_warnings(action="ignore"):
        expected = re.compile(expression, re.DOTALL).fullmatch(text) is not None

    found = ManyStars.of(expression, ALWAYS)

    assert found is not None
    assert found.fullmatch(text) is expected


@pytest.mark.parametrize(
    "pattern",
    [
        *(
            "*a" * 30 + "b",
            "**/*a" * 20 + "b",
            "[a-z]*" * 12 + "!",
            "*?" * 60 + "b",
            "a**/" * 15 + "b",
        ),
        *("*a" * 30 + "c" + "|b*" * 9, "*a{1,5}" * 20 + "b", "!" + "*a" * 30 + "b", "*]*!*[*"),
    ],
)
def test_no_pattern_takes_long(pattern: str) -> None:
    matcher = IgnoreMatcher(["*b*", pattern])

    assert not matcher.excludes("a" * 200)
    assert not matcher.excludes("/".join(["a" * 50] * 20))
    assert matcher.excludes("b")
    matcher.may_skip_directory("a" * 200 + "b")


@pytest.mark.parametrize("pattern", ["*a*a*a*a[", "a*{2}*a*a*a"])
def test_what_is_wrong_is_named(pattern: str) -> None:
    with pytest.raises(BadIgnorePattern):
        IgnoreMatcher([pattern]).excludes("a")


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("**/a/**/a/**/b", "b/" + "a/" * 400 + "c"),
        ("a{0,}" * 12 + "?b", "ab" + "a" * 200),
        ("[^x]{0,}" * 3 + "bb", "b/" + "a/" * 400),
        ("*a" * 30 + "b", "a" * 2000 + "ba"),
    ],
)
def test_few_that_reach_far_take_no_long_either(pattern: str, path: str) -> None:
    start = time.process_time()
    assert not IgnoreMatcher([pattern]).excludes(path)
    assert time.process_time() - start < 5
