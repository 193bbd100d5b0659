"""Replacement by shell patterns, with a bound for the length."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.domain.dockerfile.glob import TooLong, replace_matches

_LETTERS = st.text(alphabet="ab", max_size=8)


@given(_LETTERS, _LETTERS, st.integers(min_value=0, max_value=70))
def test_only_a_result_above_the_limit_is_refused(value: str, new: str, most: int) -> None:
    expected = value.replace("a", new)

    if len(expected) > most and "a" in value and len(new) >= 1:
        with pytest.raises(TooLong):
            replace_matches(value, "a", new, everywhere=True, most=most)
    elif len(value) <= most:
        assert replace_matches(value, "a", new, everywhere=True, most=most) == expected


def test_only_the_first_match_counts_where_one_is_replaced() -> None:
    assert replace_matches("aaaa", "a", "bbb", everywhere=False, most=6) == "bbbaaa"


@pytest.mark.parametrize(
    ("new", "expected"),
    [("$0$0", "xaab"), ("${0}!", "xa!b"), ("$A", "xb"), ("$1", "xb"), ("$00", "xb"),
     ("$$0", "x$0b"), ("$-${", "x$-${b"), ("5$", "x5$b")],
)  # fmt: skip
def test_dollars_of_a_replacement_are_groups_where_all_are_replaced(
    new: str, expected: str
) -> None:
    assert replace_matches("xab", "a", new, everywhere=True, most=99) == expected
    assert replace_matches("xab", "a", new, everywhere=False, most=99) == f"x{new}b"


@pytest.mark.parametrize(
    ("value", "pattern", "expected"),
    [
        ("abc", "*", "x"),
        ("", "*", "x"),
        ("abc", "b*", "ax"),
        ("ab", "", "xaxbx"),
        ("aa", "a", "xx"),
    ],
)
def test_no_empty_match_follows_another(value: str, pattern: str, expected: str) -> None:
    assert replace_matches(value, pattern, "x", everywhere=True, most=99) == expected
