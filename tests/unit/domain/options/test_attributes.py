"""Options that say several things at once."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.domain.errors import UsageError
from img.domain.options.attributes import Attributes

KEYS = st.from_regex(r"[a-z][a-z.-]{0,8}", fullmatch=True)
VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=12)


def attributes(text: str) -> Attributes:
    return Attributes.parse("--output", text)


@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=4))
def test_what_a_writer_of_csv_quotes_is_read_as_it_was(values: dict[str, str]) -> None:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([f"{k}={v}" for k, v in values.items()])

    assert attributes(line.getvalue()).values == values


def test_a_quoted_list_is_one_value() -> None:
    read = attributes('type=image,"name=a:1, b,",push=true')

    assert read["type"] == "image"
    assert read.names("name") == ("a:1", "b")
    assert read["missing"] == "" and read.names("missing") == ()


@pytest.mark.parametrize(
    ("text", "flag"), [("x=1", True), ("x=", True), ("x=F", False), ("x=false", False), ("", None)]
)
def test_flags_are_spelled_as_in_go(text: str, flag: bool | None) -> None:
    assert attributes(text).flag("x") is flag


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("type", "'type' must be a key=value pair"),
        ('a="b', 'bare " in non-quoted-field'),
        ('"a=b', 'extraneous or missing " in quoted-field'),
    ],
)
def test_what_is_no_attribute_is_refused(text: str, problem: str) -> None:
    with pytest.raises(UsageError) as refused:
        attributes(text)

    assert problem in refused.value.message
    assert f"invalid --output {text!r}" in refused.value.message


def test_values_of_a_wrong_kind_are_refused_by_name() -> None:
    read = attributes("push=maybe,level=ten,high=23,kind=c")

    with pytest.raises(UsageError, match="non-bool value specified for push"):
        read.flag("push")
    with pytest.raises(UsageError, match="non-int value specified for level"):
        read.number("level", 0, 9)
    with pytest.raises(UsageError, match="high must be from 0 to 22"):
        read.number("high", 0, 22)
    with pytest.raises(UsageError, match="unsupported kind 'c'"):
        read.choice("kind", ("a", "b"))


def test_what_is_not_said_is_none_or_the_first_choice() -> None:
    read = attributes("high=22")

    assert read.number("level", 0, 9) is None
    assert read.number("high", 0, 22) == 22
    assert read.choice("kind", ("a", "b")) == "a"
