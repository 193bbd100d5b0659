"""Warnings of a build."""

from collections.abc import Sequence

from img.adapters.dockerfile_parser.dockerfile_parse import DockerfileParseParser
from img.application.planning.analyse import AnalyseDockerfile
from img.application.planning.warnings import warnings_of
from img.application.ports.build_context import DockerfileText
from img.domain.dockerfile.rules.rule import LintWarning
from tests.support.checking import AnyImage
from tests.support.plans import a_request


def found_in(text: str) -> Sequence[LintWarning]:
    analyse = AnalyseDockerfile(parser=DockerfileParseParser(), resolve=AnyImage())
    parsed = analyse.parse(DockerfileText(name="Dockerfile", content=text.encode()))
    return warnings_of(analyse(parsed, a_request()))


def test_a_build_is_warned_of_what_its_target_needs() -> None:
    text = "FROM scratch AS unused\nENV a b\nFROM scratch AS base\nENV c d\nFROM base\nENV e f"

    assert [warning.lines[0] for warning in found_in(text)] == [4, 6]


def test_a_warning_fits_on_one_line() -> None:
    (warning,) = found_in("FROM scratch as x")

    assert warning.summary == (
        "FromAsCasing: 'as' and 'FROM' keywords' casing do not match (line 1)"
    )
