"""Text of others moves no terminal, hides nothing, and is no command to a CI system."""

import json
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.domain.shown_text import shown, shown_in_line, shown_json, shown_output

_ANY = st.text(
    st.characters() | st.sampled_from("\x1b\r\n\t:#[]m\u202e\u2028\x85\ud800\u200b\U000e0041")
) | st.lists(
    st.sampled_from(["::", "##", "vso[", "##vso[", "\x1b[31m", "\r", "\n", " ", "a", "error"])
).map("".join)
_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
_COMMAND = re.compile(r"^\s*::|##(?:vso|teamcity)?\[", re.IGNORECASE)


def _is_harmless(line: str) -> bool:
    categories = {unicodedata.category(char) for char in line.replace("\t", " ")}
    # Private letters have no look of their own, unassigned ones may get one: neither does anything.
    return not categories & {"Cc", "Cs", "Zl", "Zp"} and not _COMMAND.search(line)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("as it is: \u00e9 \U0001f600 [1/2] RUN a::b #1", None),
        ("a\x1b[31mred", r"a\x1b[31mred"),
        ("\x9b31m\x7f\x00", r"\x9b31m\x7f\x00"),
        ("cor\u202egnp.exe", r"cor\u202egnp.exe"),
        ("a\u2028b\u200bc\ufeff", r"a\u2028b\u200bc\ufeff"),
        ("\ud800", r"\ud800"),
        ("::error::x", r"\::error::x"),
        ("  ::add-mask::x", r"  \::add-mask::x"),
        ("x ##vso[task.setvariable]y", r"x #\#vso[task.setvariable]y"),
        ("##[group]x", r"#\#[group]x"),
        ("##teamcity[x]", r"#\#teamcity[x]"),
        ("at https://ada:lovelace@host/x?sig=c0ffee", "at https://xxxxx:xxxxx@host/x?sig=xxxxx"),
    ],
)
def test_one_line(text: str, expected: str | None) -> None:
    assert shown(text) == shown_in_line(text.strip() and text) == (expected or text)


def test_breaks_are_kept_or_become_blanks() -> None:
    text = "first\n::error::second\r\n  third"

    assert shown(text) == "first\n\\::error::second\\x0d\n  third"
    assert shown_in_line(text) == "first ::error::second third"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("plain", "plain"),
        ("\x1b[1;31mred\x1b[0m", "\x1b[1;31mred\x1b[0m"),
        ("\x1b[31mred", "\x1b[31mred\x1b[0m"),
        ("\x1b[2J\x1b]0;title\x07", r"\x1b[2J\x1b]0;title\x07"),
        ("10%\r50%\r100%\r", "100%"),
        (":: synchronizing", ":: synchronizing"),
        ("#2 DONE\r##[error]x", r"#\#[error]x"),
        ("#\x1b[31m#[error]x\x1b[0m", "#\x1b[31m#[error]x\x1b[0m"),
        ("https://ada:lovelace@host/", "https://ada:lovelace@host/"),
    ],
)
def test_output_of_steps(line: str, expected: str) -> None:
    assert shown_output(line) == expected


@given(_ANY)
def test_whatever_it_is_no_line_of_it_does_anything(text: str) -> None:
    assert all(_is_harmless(line) for line in shown(text).split("\n"))
    line = shown_in_line(text)
    assert "\n" not in line
    assert _is_harmless(line)
    line.encode()
    assert shown_in_line(line) == line


@given(_ANY.map(lambda text: text.replace("\n", "")))
def test_of_output_only_colours_are_left(line: str) -> None:
    shown_line = shown_output(line)

    assert not _COMMAND.search(f"#1 0.1 {shown_line}")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028]", _COLOUR.sub("", shown_line))
    if "\x1b[" in shown_line:
        assert shown_line.rpartition("\x1b[")[2].lstrip("0").startswith("m")


@given(st.recursive(st.none() | _ANY, lambda inner: st.lists(inner) | st.dictionaries(_ANY, inner)))
def test_json_stays_the_same_value(value: object) -> None:
    text = shown_json(json.dumps(value, ensure_ascii=False, indent=1))

    assert json.loads(text) == value
    assert all(_is_harmless(line) for line in text.split("\n"))
