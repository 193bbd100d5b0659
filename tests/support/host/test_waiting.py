"""Waits end with what they waited for, or say what did not happen."""

import pytest

from tests.support.host.waiting import wait_until, wait_while


def test_the_first_true_value_is_returned() -> None:
    values = iter([0, "", "found", "later"])

    assert wait_until(lambda: next(values), "a value") == "found"


def test_what_does_not_happen_is_named() -> None:
    with pytest.raises(AssertionError, match=r"not within 0.05 s: the sun rises"):
        wait_until(lambda: False, "the sun rises", patience_s=0.05)


def test_what_is_left_is_returned() -> None:
    values = iter([["a", "b"], ["b"], []])

    assert wait_while(lambda: next(values)) == []
    assert wait_while(lambda: ["b"], patience_s=0.05) == ["b"]
