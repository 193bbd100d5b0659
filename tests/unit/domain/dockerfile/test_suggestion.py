"""Suggestions for misspelt words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.domain.dockerfile.suggestion import closest

COMMANDS = (
    "build", "catalog", "doctor", "du", "fsck", "inspect", "load", "login", "logout", "ls",
    "prune", "pull", "push", "referrers", "rm", "save", "tag", "tags", "unpack", "unshare",
)  # fmt: skip
OPTIONS = ("--cache-from", "--cache-to", "--file", "--no-cache", "--platform", "--pull", "--tag")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("biuld", "build"),
        ("buidl", "build"),
        ("builld", "build"),
        ("biuldd", "build"),
        ("prnue", "prune"),
        ("insp", "inspect"),
        ("loign", "login"),
        ("logni", "login"),
        ("images", ""),
        ("run", ""),
        ("exec", ""),
        ("ps", ""),
        ("x", ""),
        ("", ""),
        ("unshaer", "unshare"),
        ("tasg", "tags"),
    ],
)
def test_commands_are_proposed_where_one_is_near(word: str, meant: str) -> None:
    assert closest(word, COMMANDS) == meant


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("--no-cahce", "--no-cache"),
        ("--force-rm", ""),
        ("--plattform", "--platform"),
        ("--cache", ""),
        ("--plat", "--platform"),
        ("--tags", "--tag"),
    ],
)
def test_options_are_proposed_where_one_is_near(word: str, meant: str) -> None:
    assert closest(word, OPTIONS) == meant


@given(st.sampled_from(COMMANDS), st.data())
def test_two_letters_in_wrong_order_hide_no_long_word(name: str, data: st.DataObject) -> None:
    if len(name) < 5:
        return
    at = data.draw(st.integers(1, len(name) - 2))
    word = name[:at] + name[at + 1] + name[at] + name[at + 2 :]

    assert closest(word, COMMANDS) == name
