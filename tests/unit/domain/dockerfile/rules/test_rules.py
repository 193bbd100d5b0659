"""Findings of each rule, and accepted cases; the tables hold the simple cases."""

import pytest

from img.domain.oci.config import RunConfig
from img.domain.platform import Platform
from tests.support.checking import AnyImage, said
from tests.support.plans import a_request


def test_a_variable_of_the_base_image_is_defined() -> None:
    java = AnyImage({"java": RunConfig(env=(("JAVA_HOME", "/opt/java"),))})
    assert said("FROM java\nWORKDIR $JAVA_HOME", images=java) == []


def test_path_is_defined_even_from_scratch() -> None:
    assert said("FROM scratch\nENV PATH=/x:$PATH") == []


def test_variables_and_arguments_of_a_base_stage_are_defined() -> None:
    assert said("FROM scratch AS a\nARG one\nENV two=2\nFROM a\nCOPY $one $two /x/") == []


def test_a_variable_in_a_heredoc_of_copy_is_checked_but_not_in_a_quoted_one() -> None:
    assert said("FROM scratch\nCOPY <<A <<'B' /\n$one\nA\n$two\nB") == [
        "UndefinedVar: Usage of undefined variable '$one' (line 2)"
    ]


def test_a_variable_in_a_mount_is_checked_but_not_in_the_command() -> None:
    assert said("FROM scratch\nRUN --mount=type=cache,target=/$dir echo $word") == [
        "UndefinedVar: Usage of undefined variable '$dir' (line 2)"
    ]


def test_a_default_that_a_build_argument_replaces_is_not_looked_at() -> None:
    text = "FROM scratch\nARG one=$nope"
    assert said(text) == ["UndefinedVar: Usage of undefined variable '$nope' (line 2)"]
    assert said(text, a_request(build_args={"one": "1"})) == []


def test_the_second_argument_of_a_line_sees_the_first() -> None:
    assert said("FROM scratch\nARG one=1 two=$one") == []


def test_an_absolute_workdir_of_a_variable_is_absolute() -> None:
    assert said("FROM scratch\nARG home=/home\nWORKDIR $home/me\nWORKDIR below") == []


def test_a_drive_makes_a_workdir_absolute_only_on_windows() -> None:
    windows = a_request(platform=Platform("windows", "amd64"))
    assert said("FROM scratch\nWORKDIR C:/app", windows) == []
    assert said("FROM scratch\nWORKDIR C:/app") == [
        (
            'WorkdirRelativePath: Relative workdir "C:/app" can have unexpected results if the '
            "base image changes (line 2)"
        )
    ]


def test_a_shell_of_the_base_image_allows_the_shell_form() -> None:
    images = AnyImage({"pwsh": RunConfig(shell=("pwsh", "-Command"))})
    assert said("FROM pwsh\nCMD start", images=images) == []


def test_the_second_of_two_commands_may_excuse_that_there_are_two() -> None:
    excuse = "# check=skip=MultipleInstructionsDisallowed\n"
    assert said(f'FROM scratch\nCMD ["a"]\n{excuse}CMD ["b"]') == []
    assert said(f'FROM scratch\n{excuse}CMD ["a"]\nCMD ["b"]') == [
        (
            "MultipleInstructionsDisallowed: Multiple CMD instructions should not be used in the "
            "same stage because only the last one will be used (line 3)"
        )
    ]


@pytest.mark.parametrize(
    "text",
    [
        "FROM scratch AS a\n{}FROM scratch AS a",
        "FROM scratch\n{}FROM scratch AS context",
        "FROM scratch\n{}env a=1\nENV b=2\nENV c=3",
        "FROM scratch\n{}RUN [\\\n\n]",
        "ARG A\n{}FROM a$A:",
    ],
)
def test_what_concerns_the_whole_file_is_excused_by_the_directive_alone(text: str) -> None:
    assert len(said(text.format("# check=skip=all\n"))) == 1
    assert said("# check=skip=all\n" + text.format("")) == []


def test_a_trigger_of_the_base_image_is_checked_where_it_is_triggered() -> None:
    images = AnyImage({"onbuild": RunConfig(on_build=("ENV old style",))})
    assert said("\nFROM onbuild", images=images) == [
        (
            'LegacyKeyValueFormat: "ENV key=value" should be used instead of legacy '
            '"ENV key value" format (line 2)'
        )
    ]


def test_an_image_for_another_processor_is_reported() -> None:
    images = AnyImage(platform=Platform("linux", "arm64"))
    assert said("FROM alpine:3\nFROM scratch", images=images) == [
        (
            'InvalidBaseImagePlatform: Base image alpine:3 was pulled with platform "linux/arm64", '
            'expected "linux/amd64" for current build (line 1)'
        )
    ]


def test_a_source_that_the_ignore_file_excludes_is_reported() -> None:
    text = "FROM scratch\nCOPY ./app/main.py /\nADD docs /docs"
    assert said(text, ignore="app\ndocs\n") == [
        (
            'CopyIgnoredFile: Attempting to Copy file "app/main.py" that is excluded by '
            ".dockerignore (line 2)"
        ),
        'CopyIgnoredFile: Attempting to Add file "docs" that is excluded by .dockerignore (line 3)',
    ]


def test_an_ignore_file_that_includes_again_says_nothing_for_certain() -> None:
    assert said("FROM scratch\nCOPY app /", ignore="app\n!app/main.py\n") == []


def test_what_comes_from_a_stage_or_a_server_is_not_ignored() -> None:
    text = "FROM scratch AS a\nFROM scratch\nCOPY --from=a /x /\nADD https://example.com/x /"
    assert said(text, ignore="**\n") == []


def test_the_whole_context_is_ignored_only_by_a_pattern_for_all() -> None:
    assert said("FROM scratch\nCOPY . /", ignore="x\n.git\n") == []
    assert said("FROM scratch\nCOPY . /", ignore="*\n") == [
        'CopyIgnoredFile: Attempting to Copy file "." that is excluded by .dockerignore (line 2)'
    ]


def test_a_base_written_in_capitals_is_no_image() -> None:
    assert said("FROM scratch AS Base\nFROM Base") == [
        "StageNameCasing: Stage name 'Base' should be lowercase (line 1)",
        (
            "InvalidDefaultArgInFrom: Default value for ARG Base results in empty or invalid base "
            "image name (line 2)"
        ),
    ]


@pytest.mark.parametrize("stop", ["FROM $NONE", "FROM --platform=a/b/c/d x", "FROM ${A:?needed}"])
def test_defaults_of_all_from_lines_are_looked_at_whatever_one_of_them_stops(stop: str) -> None:
    found = said(f"ARG NONE\nFROM busybox:$NONE\n{stop}\nFROM golang:$NONE\nFROM busybox")
    lines = [text for text in found if text.startswith("InvalidDefaultArgInFrom")]
    ends = [text.rpartition("(")[2] for text in lines]
    expected = {"FROM $NONE": ["line 2)", "line 3)", "line 4)"], "FROM ${A:?needed}": ["line 2)"]}
    assert ends == expected.get(stop, ["line 2)", "line 4)"])


def test_an_empty_line_in_the_middle_is_reported_where_the_instruction_ends() -> None:
    assert said("FROM scratch\nRUN a \\\n\n  b \\\n  c") == [
        "NoEmptyContinuation: Empty continuation line (line 5)"
    ]


def test_the_last_comment_above_is_to_be_the_description() -> None:
    text = "# check=experimental=all\n\nFROM scratch\n# name of it\n{}ARG name"
    assert said(text.format("")) == []
    assert len(said(text.format("# check=skip=Others\n"))) == 1
    assert said(text.format("#\n")) == []
