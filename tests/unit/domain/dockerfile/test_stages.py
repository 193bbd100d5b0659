"""References between stages."""

import pytest

from img.adapters.dockerfile_parser.dockerfile_parse import DockerfileParseParser
from img.domain.dockerfile.instructions import Stage
from img.domain.dockerfile.interpret import interpret
from img.domain.dockerfile.stages import (
    StageNeeds,
    TargetNotFound,
    check_circles,
    find_base,
    find_stage,
    needs_of,
    select_target,
)
from img.domain.errors import DockerfileError


def stages(text: str) -> tuple[Stage, ...]:
    return interpret(DockerfileParseParser().parse(text.encode())).stages


THREE = """\
FROM debian AS Base
FROM base AS build
RUN --mount=from=tools,target=/t true
FROM scratch
COPY --from=build /a /
COPY --from=0 /b /
COPY --from=alpine /c /
"""


def test_a_stage_is_found_by_name_in_any_case_and_by_number() -> None:
    found = stages(THREE)
    assert find_stage(found, "BUILD", 2) is found[1]
    assert find_stage(found, "0", 2) is found[0]
    assert find_stage(found, "build", 1) is None
    assert find_stage(found, "7", 3) is None
    assert find_base(found, "0", 3) is None


def test_the_nearest_of_two_stages_of_one_name_is_meant() -> None:
    found = stages("FROM a AS x\nFROM b AS x\nFROM x\n")
    assert find_stage(found, "x", 2) is found[1]
    assert find_stage(found, "x", 1) is found[0]


def test_needs_are_stages_and_images() -> None:
    found = stages(THREE)
    assert needs_of(found, 1) == StageNeeds(base=0, images=("tools",))
    assert needs_of(found, 2) == StageNeeds(base=None, stages=(1, 0), images=("alpine",))


def test_a_base_may_be_given_once_its_variables_are_known() -> None:
    found = stages("ARG B\nFROM a AS x\nFROM $B\n")
    assert needs_of(found, 1).base is None
    assert needs_of(found, 1, {1: "x"}).base == 0


def test_triggers_of_a_base_stage_count_where_they_run() -> None:
    found = stages("FROM a AS t\nFROM b AS x\nONBUILD COPY --from=t / /\nFROM x\n")
    assert needs_of(found, 1).stages == ()
    assert needs_of(found, 2) == StageNeeds(base=1, stages=(0,))


def test_the_target_is_the_last_stage_unless_named() -> None:
    found = stages(THREE)
    assert select_target(found) is found[2]
    assert select_target(found, "build") is found[1]
    with pytest.raises(
        TargetNotFound, match=r'"biuld" could not be found \(did you mean build\?\)'
    ):
        select_target(found, "biuld")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("FROM a AS x\nCOPY --from=x / /\n", "circular dependency detected on stage: x"),
        (
            "FROM a AS x\nCOPY --from=y / /\nFROM x AS y\n",
            "circular dependency detected on stage: x",
        ),
        (
            "FROM a AS x\nCOPY --from=y / /\nFROM b AS y\n",
            'cannot copy from stage "y", it needs to be defined before current stage "x"',
        ),
        (
            "FROM a AS x\nRUN --mount=from=y true\nFROM b AS y\n",
            'cannot mount from stage "y" to "x", stage needs to be defined before current command',
        ),
        ("FROM a\nCOPY --from=9 / /\n", "invalid stage index 9"),
        ("FROM a\nCOPY --from=$x / /\n", "variable expansion is not supported for --from"),
    ],
)
def test_bad_references_are_refused(text: str, message: str) -> None:
    found = stages(text)
    with pytest.raises(DockerfileError) as raised:
        check_circles(found)
        needs_of(found, 0)
    assert raised.value.message.startswith(message)
    assert raised.value.lines
