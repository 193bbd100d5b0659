"""The stage that is the target of a build."""

import pytest

from img.adapters.dockerfile_parser.dockerfile_parse import DockerfileParseParser
from img.domain.dockerfile.instructions import Stage
from img.domain.dockerfile.interpret import interpret
from img.domain.dockerfile.stages import TargetNotFound, select_target


def stages(text: str) -> tuple[Stage, ...]:
    return interpret(DockerfileParseParser().parse(text.encode())).stages


@pytest.mark.parametrize(
    ("target", "index"), [("", 2), ("build", 1), ("BUILD", 1), ("base", 0), ("0", 0), ("2", 2)]
)
def test_the_target_is_the_last_stage_unless_named(target: str, index: int) -> None:
    found = stages("FROM debian AS Base\nFROM base AS build\nFROM scratch\n")

    assert select_target(found, target) is found[index]


def test_of_two_stages_of_one_name_the_last_is_the_target() -> None:
    found = stages("FROM a AS x\nFROM b AS x\nFROM x\n")

    assert select_target(found, "x") is found[1]


@pytest.mark.parametrize("target", ["3", "-1", "9" * 5000, "\u0661"])
def test_a_number_without_a_stage_is_refused(target: str) -> None:
    with pytest.raises(TargetNotFound):
        select_target(stages("FROM a\nFROM b\nFROM c\n"), target)


def test_a_target_that_is_missing_names_one_that_is_meant() -> None:
    with pytest.raises(
        TargetNotFound, match=r'"biuld" could not be found \(did you mean build\?\)'
    ):
        select_target(stages("FROM a AS build\n"), "biuld")
