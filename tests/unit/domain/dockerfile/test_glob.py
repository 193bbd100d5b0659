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
