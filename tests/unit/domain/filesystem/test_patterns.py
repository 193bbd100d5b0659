"""Go's wildcards."""

import pytest

from img.domain.filesystem.patterns import BadPattern, compile_pattern, has_wildcards, matches


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [  # from Go's path/filepath match_test.go
        ("abc", "abc", True),
        ("*", "abc", True),
        ("*c", "abc", True),
        ("a*", "ab/c", False),
        ("a*b?c*x", "abxbbxdbxebxczzx", True),
        ("ab[c]", "abc", True),
        ("ab[e-g]", "abc", False),
        ("ab[^e-g]", "abc", True),
        ("a\\*b", "a*b", True),
        ("a\\*b", "ab", False),
        ("a?b", "a/b", False),
        ("a[^a]b", "a☺b", True),
        ("[\\]a]", "]", True),
        ("[x\\-]", "-", True),
        ("*x", "xxx", True),
        ("[[]", "[", True),
    ],
)
def test_a_pattern_takes_the_whole_name(pattern: str, name: str, expected: bool) -> None:
    assert matches(pattern, name) is expected


@pytest.mark.parametrize("pattern", ["[]a]", "[-]", "[x-]", "[", "[^", "a[", "a\\", "[a-b-c]"])
def test_malformed_patterns_are_refused(pattern: str) -> None:
    with pytest.raises(BadPattern):
        matches(pattern, "a")


def test_two_stars_cross_directories_where_asked() -> None:
    assert compile_pattern("a/**/c", deep=True).fullmatch("a/b/b/c")
    assert compile_pattern("a/**/c", deep=True).fullmatch("a/c")
    assert compile_pattern("**", deep=True).fullmatch("a/b")
    assert not matches("**", "a/b")


def test_a_plain_path_has_no_wildcards() -> None:
    assert not any(has_wildcards(each) for each in ("a/b.c", "\\a", "\\*", "a\\", "\\\\", "]^-"))
    assert all(has_wildcards(each) for each in ("*", "a?", "[a]", "\\\\*", "\\a[", "\\**"))
