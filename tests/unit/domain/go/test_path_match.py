"""Go's wildcards."""

import pytest

from img.domain.go.path_match import BadPattern, has_wildcards, matches


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


def test_two_stars_are_one() -> None:
    assert matches("a**c", "abc")
    assert not matches("**", "a/b")


def test_a_chunk_is_where_it_is_found_first() -> None:
    assert not matches("*[^a]*", "b/")  # as Go has it: the other place, behind "b", is not tried


@pytest.mark.parametrize(
    "pattern", ["*a" * 40 + "b", "*" * 9000 + "b", "*?" * 90 + "b", "*[a]" * 99]
)
def test_no_pattern_takes_long(pattern: str) -> None:
    assert not matches(pattern, "a" * 90)


def test_a_plain_path_has_no_wildcards() -> None:
    assert not any(has_wildcards(each) for each in ("a/b.c", "\\a", "\\*", "a\\", "\\\\", "]^-"))
    assert all(has_wildcards(each) for each in ("*", "a?", "[a]", "\\\\*", "\\a[", "\\**"))
