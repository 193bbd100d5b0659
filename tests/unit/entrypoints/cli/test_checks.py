"""Output of checks, outlines and targets."""

import base64
import json
from dataclasses import dataclass

import pytest

from img.adapters.dockerfile_parser.dockerfile_parse import DockerfileParseParser
from img.adapters.state_lock.memory import MemoryStateLock
from img.application.planning.analyse import AnalyseDockerfile
from img.application.usecases.check import (
    CheckDockerfile,
    ListTargets,
    OutlineDockerfile,
)
from img.domain.errors import DockerfileError, UsageError
from img.entrypoints.cli.checks import run_call
from tests.support.checking import AnyImage, OneDockerfile
from tests.support.plans import a_request

DESCRIBED = """\
# VERSION sets the version
ARG VERSION=1.22
# base prepares
FROM golang:$VERSION AS base
RUN --mount=type=secret,id=token,required --mount=type=ssh true
# app is what to ship
FROM base AS app
"""


@dataclass(frozen=True)
class Answers:
    """All that is asked is asked of one Dockerfile."""

    text: str

    def check_dockerfile(self) -> CheckDockerfile:
        return CheckDockerfile(
            dockerfiles=OneDockerfile(self.text),
            analyse=AnalyseDockerfile(parser=DockerfileParseParser(), resolve=AnyImage()),
            lock=MemoryStateLock(),
        )

    def outline_dockerfile(self) -> OutlineDockerfile:
        return OutlineDockerfile(
            dockerfiles=OneDockerfile(self.text),
            analyse=AnalyseDockerfile(parser=DockerfileParseParser(), resolve=AnyImage()),
            lock=MemoryStateLock(),
        )

    def list_targets(self) -> ListTargets:
        return ListTargets(dockerfiles=OneDockerfile(self.text), parser=DockerfileParseParser())


def ask(text: str, call: str) -> int:
    return run_call(Answers(text), call, a_request(), ".", None)


def test_a_clean_dockerfile_is_told_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert ask("FROM scratch", "check") == 0
    assert capsys.readouterr().out == "Check complete, no warnings found.\n"


def test_warnings_are_shown_with_their_lines_and_exit_with_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ask("FROM scratch AS x\nMAINTAINER me\nCMD run\n", "check") == 1
    assert (
        capsys.readouterr().out
        == """\
Check complete, 2 warnings have been found!

WARNING: MaintainerDeprecated - https://docs.docker.com/go/dockerfile/rule/maintainer-deprecated/
Maintainer instruction is deprecated in favor of using label
Dockerfile:2
--------------------
   1 |     FROM scratch AS x
   2 | >>> MAINTAINER me
   3 |     CMD run
   4 |     \n\
--------------------

WARNING: JSONArgsRecommended - https://docs.docker.com/go/dockerfile/rule/json-args-recommended/
JSON arguments recommended for CMD to prevent unintended behavior related to OS signals
Dockerfile:3
--------------------
   1 |     FROM scratch AS x
   2 |     MAINTAINER me
   3 | >>> CMD run
   4 |     \n\
--------------------
"""
    )


def test_one_warning_is_counted_as_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert ask("FROM scratch\nMAINTAINER me", "lint") == 1
    assert capsys.readouterr().out.startswith("Check complete, 1 warning has been found!\n\nWARN")


def test_ignorestatus_makes_warnings_no_failure() -> None:
    assert ask("FROM scratch\nMAINTAINER me", "check,ignorestatus=true") == 0


def test_a_violation_is_an_error_below_the_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    assert ask("# check=error=true\nFROM scratch\nMAINTAINER me", "check") == 1
    shown = capsys.readouterr()
    assert shown.out.startswith("Check complete, 1 warning")
    assert shown.err.startswith(
        "ERROR: lint violation found for rules: MaintainerDeprecated (correct what the warnings "
        "say, or take error=true away)\nDockerfile:1\n--------------------\n"
        "   1 | >>> # check=error=true\n"
    )


def test_what_cannot_be_built_has_the_exit_code_of_a_bad_dockerfile(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ask("FROM scratch\nFNTRYPOINT x", "check") == DockerfileError.exit_code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "unknown instruction: FNTRYPOINT (did you mean ENTRYPOINT?)" in shown.err


def test_warnings_as_json_have_buildkits_names(capsys: pytest.CaptureFixture[str]) -> None:
    text = "FROM scratch\nMAINTAINER me"
    assert ask(text, "check,format=json") == 1
    assert json.loads(capsys.readouterr().out) == {
        "warnings": [
            {
                "ruleName": "MaintainerDeprecated",
                "description": "The MAINTAINER instruction is deprecated, use a label instead to "
                "define an image author",
                "url": "https://docs.docker.com/go/dockerfile/rule/maintainer-deprecated/",
                "detail": "Maintainer instruction is deprecated in favor of using label",
                "location": {"ranges": [{"start": {"line": 2}, "end": {"line": 2}}]},
            }
        ],
        "sources": [
            {
                "filename": "Dockerfile",
                "data": base64.b64encode(text.encode()).decode(),
                "language": "Dockerfile",
            }
        ],
    }


def test_the_error_of_a_build_is_in_the_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert ask("FROM scratch\nSTOPSIGNAL nope", "check,format=json") == DockerfileError.exit_code
    document = json.loads(capsys.readouterr().out)
    assert document["warnings"] == []
    assert document["buildError"]["location"] == {
        "ranges": [{"start": {"line": 2}, "end": {"line": 2}}]
    }


def test_an_outline_is_a_table_for_each_kind(capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(DESCRIBED, "outline") == 0
    assert capsys.readouterr().out == (
        "TARGET:      app\n"
        "DESCRIPTION: is what to ship\n"
        "\n"
        "BUILD ARG   VALUE   DESCRIPTION\n"
        "VERSION     1.22    sets the version\n"
        "\n"
        "SECRET   REQUIRED\n"
        "token    true\n"
        "\n"
        "SSH       REQUIRED\n"
        "default   \n"
        "\n"
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('ADD \\conf\\\\" /x', "unexpected end of statement"),
        ("COPY --chmod=9999 a /", "invalid chmod parameter"),
        ("ENV A=${B:?needed}", "needed"),
    ],
)
def test_there_is_no_outline_of_what_no_build_gets_beyond(line: str, message: str) -> None:
    with pytest.raises(DockerfileError, match=message):
        ask(f"FROM scratch\n{line}\n", "outline")


def test_an_outline_as_json_has_buildkits_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(DESCRIBED, "outline,format=json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["name"] == "app"
    assert document["args"] == [
        {
            "name": "VERSION",
            "description": "sets the version",
            "value": "1.22",
            "location": {"ranges": [{"start": {"line": 2}, "end": {"line": 2}}]},
        }
    ]
    assert [each["required"] for each in document["secrets"]] == [True]
    assert "required" not in document["ssh"][0]
    assert base64.b64decode(document["sources"][0]).decode() == DESCRIBED


def test_targets_are_listed_the_default_one_marked(capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(DESCRIBED, "targets") == 0
    assert capsys.readouterr().out == (
        "TARGET        DESCRIPTION\nbase          prepares\napp (default) is what to ship\n"
    )


def test_a_stage_without_a_name_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert ask("FROM scratch", "targets") == 0
    assert capsys.readouterr().out == "TARGET    DESCRIPTION\n(default) \n"


def test_targets_as_json_tell_base_and_place(capsys: pytest.CaptureFixture[str]) -> None:
    assert ask("FROM --platform=$BUILDPLATFORM busybox", "targets,format=json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["targets"] == [
        {
            "default": True,
            "base": "busybox",
            "platform": "$BUILDPLATFORM",
            "location": {"ranges": [{"start": {"line": 1}, "end": {"line": 1}}]},
        }
    ]


def test_a_build_is_no_question() -> None:
    with pytest.raises(UsageError):
        ask("FROM scratch", "build")


def test_the_methods_are_those_that_buildkit_describes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ask("FROM scratch", "subrequests.describe") == 0
    assert (
        capsys.readouterr().out
        == """\
NAME                 VERSION DESCRIPTION
outline              1.0.0   List all parameters current build target supports
targets              1.0.0   List all targets current build supports
subrequests.describe 1.0.0   List available subrequest types
"""
    )

    assert ask("FROM scratch", "subrequests.describe,format=json") == 0
    described = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in described] == [
        "frontend.outline",
        "frontend.targets",
        "frontend.subrequests.describe",
    ]
    assert described[0]["opts"] == [{"name": "target", "description": "Target build stage"}]
    assert described[2]["opts"] is None
