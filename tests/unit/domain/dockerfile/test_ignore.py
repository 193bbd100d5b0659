"""Patterns of .dockerignore."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.domain.dockerfile.ignore import (
    NOT_MATCHED,
    BadIgnorePattern,
    IgnoreMatcher,
    read_ignore_patterns,
)


def test_the_last_pattern_that_matches_decides() -> None:
    matcher = IgnoreMatcher(["*", "!src", "src/**/*.tmp", "!src/keep.tmp"])
    assert matcher.excludes("README")
    assert not matcher.excludes("src/a/b.py")
    assert matcher.excludes("src/a/b.tmp")
    assert not matcher.excludes("src/keep.tmp")


def test_what_is_beneath_an_excluded_directory_is_excluded() -> None:
    assert IgnoreMatcher(["node_modules"]).excludes("node_modules/a/b")
    assert not IgnoreMatcher(["node_modules"]).excludes("a/node_modules")
    assert IgnoreMatcher(["**/node_modules"]).excludes("a/node_modules/b")


def test_a_directory_is_skipped_when_nothing_in_it_can_come_back() -> None:
    assert IgnoreMatcher(["out"]).may_skip_directory("out")
    assert not IgnoreMatcher(["out"]).may_skip_directory("src")
    assert not IgnoreMatcher(["out", "!out/keep/*"]).may_skip_directory("out")
    assert IgnoreMatcher(["out", "!out/keep/*"]).may_skip_directory("out/other")
    assert not IgnoreMatcher(["out", "!**/keep"]).may_skip_directory("out")
    assert IgnoreMatcher(["out", "!*.md"]).may_skip_directory("out")
    assert IgnoreMatcher(["!out/keep", "out"]).may_skip_directory("out")


@pytest.mark.parametrize("pattern", ["!", "[", "a[", "[]", "[a-]", "x\\"])
def test_bad_patterns_are_refused(pattern: str) -> None:
    with pytest.raises(BadIgnorePattern) as raised:
        IgnoreMatcher([pattern])
    assert raised.value.pattern == pattern


@pytest.mark.parametrize("pattern", ["bin\\obj", "a\\é", "*a*a{2}{3}", "**/x\\c"])
def test_a_pattern_without_expression_is_an_error_for_paths_that_are_compared_with_it(
    pattern: str,
) -> None:
    for patterns, compared, others in [
        ([pattern], ["a", "bin/obj"], []),
        (["a", pattern], ["b"], ["a", "a/b", "."]),
        ([f"!{pattern}", "a"], [], ["a", "b"]),
        (["a", f"!{pattern}"], ["a", "a/b"], ["b"]),
        (["a", "!a/b", pattern], ["a/b", "c"], ["a"]),
    ]:
        matcher = IgnoreMatcher(patterns)
        assert matcher
        for path in compared:
            with pytest.raises(BadIgnorePattern) as raised:
                matcher.excludes(path)
            assert raised.value.pattern == pattern
        for path in others:
            matcher.excludes(path)


def test_a_backslash_escapes_as_in_expressions_of_go() -> None:
    assert IgnoreMatcher(["a\\*", "\\!b"]).excludes("a*")
    assert IgnoreMatcher(["a\\*", "\\!b"]).excludes("!b")
    assert IgnoreMatcher(["bin\\debug"]).excludes("bin1ebug")
    assert not IgnoreMatcher(["bin\\debug"]).excludes("bin\\debug")
    assert not IgnoreMatcher(["\\w"]).excludes("é")
    assert IgnoreMatcher(["*\\d*\\d*\\d*\\d*"]).excludes("a1b2c3d4")


def test_no_patterns_exclude_nothing() -> None:
    assert not IgnoreMatcher([])
    assert not IgnoreMatcher([]).excludes("a")


def test_a_file_is_cleaned_as_it_is_read() -> None:
    text = "\ufeff# no\n /a/./b/ \n! /c\n\n..\n"
    assert read_ignore_patterns(text) == ("a/b", "!c", "..")


PATTERNS = st.lists(
    st.builds(
        "".join,
        st.lists(
            st.sampled_from(["!", "a", "b", "/", "*", "**", "**/", "?", "[ab]", "\\a", ".", "c.x"]),
            min_size=1,
            max_size=6,
        ),
    ),
    max_size=5,
)
PATHS = st.lists(st.sampled_from(["a", "b", "ab", "c.x", ".a"]), min_size=1, max_size=4)


def a_matcher(patterns: list[str]) -> IgnoreMatcher | None:
    try:
        return IgnoreMatcher(patterns)
    except BadIgnorePattern:
        return None


@given(PATTERNS, PATHS)
def test_walking_gives_the_same_answers(patterns: list[str], parts: list[str]) -> None:
    matcher = a_matcher(patterns)
    if matcher is None:
        return
    state = NOT_MATCHED
    for depth in range(1, len(parts) + 1):
        path = "/".join(parts[:depth])
        excluded, state = matcher.excludes_child(path, state)
        assert excluded == IgnoreMatcher(patterns).hides(path)


@pytest.mark.parametrize(
    ("patterns", "path", "hidden"),
    [
        (["**/*.log", "!d"], "d/x.log", True),
        (["**/*.log", "!d/*.log"], "d/x.log", False),
        (["*", "!d"], "d/x.log", False),
        (["d", "!d/x", "d"], "d/x", False),
    ],
)
def test_a_pattern_that_changes_nothing_for_a_directory_has_no_effect_in_it(
    patterns: list[str], path: str, hidden: bool
) -> None:
    assert IgnoreMatcher(patterns).hides(path) is hidden


@given(PATTERNS, PATHS)
def test_many_patterns_answer_as_each_in_turn_would(patterns: list[str], parts: list[str]) -> None:
    matcher = a_matcher(patterns)
    if matcher is None:
        return
    path = "/".join(parts)
    excluded = False
    for pattern in patterns:
        if pattern.startswith("!"):
            excluded = excluded and IgnoreMatcher(["**", pattern]).excludes(path)
        else:
            excluded = excluded or IgnoreMatcher([pattern]).excludes(path)
    assert matcher.excludes(path) == excluded


@given(PATTERNS, PATHS)
def test_a_skipped_directory_holds_nothing_included(patterns: list[str], parts: list[str]) -> None:
    matcher = a_matcher(patterns)
    if matcher is None:
        return
    for depth in range(1, len(parts)):
        if matcher.may_skip_directory("/".join(parts[:depth])):
            assert matcher.hides("/".join(parts))
