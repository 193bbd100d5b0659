"""Warnings of a build."""

from img.adapters.dockerfile_parser.dockerfile_parse import DockerfileParseParser
from img.application.planning.warnings import warnings_of
from img.domain.dockerfile.interpret import interpret
from tests.unit.domain.graph.plans import a_request


def test_a_build_is_warned_of_what_its_target_needs() -> None:
    text = "FROM scratch AS unused\nENV a b\nFROM scratch AS base\nENV c d\nFROM base\nENV e f"
    raw = DockerfileParseParser().parse(text.encode())
    found = warnings_of(raw, interpret(raw), a_request(), {})
    assert [warning.lines[0] for warning in found] == [4, 6]


def test_a_warning_fits_on_one_line() -> None:
    raw = DockerfileParseParser().parse(b"FROM scratch as x")
    (warning,) = warnings_of(raw, interpret(raw), a_request(), {})
    assert warning.summary == (
        "FromAsCasing: 'as' and 'FROM' keywords' casing do not match (line 1)"
    )
