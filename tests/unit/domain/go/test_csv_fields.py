"""Comma-separated values, with the errors of Go's encoding/csv."""

import pytest

from img.domain.dockerfile.mounts import parse_mount
from img.domain.errors import DockerfileError
from img.domain.go.csv_fields import BadCsv, split_csv


@pytest.mark.parametrize(
    ("text", "fields"),
    [("", ()), ("a,", ("a", "")), ('"a,b","c""d"', ("a,b", 'c"d')), ("a\r\n", ("a",))],
)
def test_quotes_hold_a_field_together(text: str, fields: tuple[str, ...]) -> None:
    assert split_csv(text) == fields


@pytest.mark.parametrize(
    ("text", "column", "problem"),
    [
        ('é,"b"c', 6, 'extraneous or missing " in quoted-field'),
        ('a,"bc', 4, 'extraneous or missing " in quoted-field'),
        ('a,"b""c', 7, 'extraneous or missing " in quoted-field'),
        ('é,b"', 5, 'bare " in non-quoted-field'),
    ],
)
def test_errors_name_the_byte(text: str, column: int, problem: str) -> None:
    with pytest.raises(BadCsv) as raised:
        split_csv(text)
    assert str(raised.value) == f"parse error on line 1, column {column}: {problem}"


def test_values_in_errors_are_quoted_as_in_go() -> None:
    with pytest.raises(DockerfileError) as raised:
        parse_mount("type=a\\b")
    assert raised.value.message == 'unsupported mount type "a\\\\b"'
