"""Plain progress in the logs of GitHub and GitLab."""

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.adapters.progress_sink.ci_sections import CiSections
from img.adapters.progress_sink.plain import PlainProgress
from img.domain.ci_log import CiSystem, Mark, ci_system
from img.domain.errors import UsageError
from img.domain.progress import (
    Event,
    SourceLines,
    VertexCached,
    VertexDone,
    VertexFailed,
    VertexOutput,
    VertexStarted,
    VertexWarning,
)

BUILD: list[Event] = [
    VertexCached(vertex="1", name="[1/3] FROM busybox"),
    VertexStarted(vertex="2", name="[2/3] RUN make"),
    VertexOutput(vertex="2", stream=1, data=b"cc\n"),
    VertexStarted(vertex="3", name="[a 1/2] RUN 50%"),
    VertexFailed(vertex="3", message="exit code: 1"),
    VertexDone(vertex="2"),
]
HOSTILE = st.lists(
    st.sampled_from(
        [
            "::error::x",
            "::stop-commands::t",
            "::endgroup::",
            "##[endgroup]",
            "section_end:1:img_1\r\x1b[0K",
            *("\r", "\n", " ", "\t", "\x1b[0K", "\x1b[0m", "\u2028", "\x85", "\v", "a"),
        ]
    )
).map("".join)


def shown(system: CiSystem, *events: Event) -> str:
    out = io.StringIO(newline="")
    sections = CiSections(system, "/src", now=lambda: 7.9)
    sink = PlainProgress(out, now=lambda: 0.0, sections=sections)
    for event in events:
        sink.emit(event)
    sink.close()
    return out.getvalue()


def test_lines_of_a_running_step_are_a_group_on_github() -> None:
    assert shown(CiSystem.GITHUB, *BUILD).splitlines() == [
        "#1 [1/3] FROM busybox",
        "#1 CACHED",
        "",
        "#2 [2/3] RUN make",
        "::group::#2 output",
        "#2 0.000 cc",
        "#2 ...",
        "::endgroup::",
        "",
        "#3 [a 1/2] RUN 50%",
        "#3 ERROR: exit code: 1",
        "",
        "#2 [2/3] RUN make",
        "#2 DONE 0.0s",
        "------",
        " > [a 1/2] RUN 50%:",
        "------",
    ]


def test_they_are_a_section_on_gitlab() -> None:
    lines = shown(CiSystem.GITLAB, *BUILD).split("\n")
    assert lines[3:8] == [
        "#2 [2/3] RUN make",
        "\x1b[0Ksection_start:7:img_1[collapsed=true]\r\x1b[0K#2 output",
        "#2 0.000 cc",
        "#2 ...",
        "\x1b[0Ksection_end:7:img_1\r\x1b[0K",
    ]


def test_warnings_are_marked_where_the_repository_has_the_file() -> None:
    lines = SourceLines(file="Dockerfile", path="/src/a,b/Dockerfile", text=b"", lines=(3, 4))
    outside = SourceLines(file="Dockerfile", path="/tmp/Dockerfile", text=b"", lines=(3, 4))
    begun = VertexStarted(vertex="1", name="x")
    marked = VertexWarning(vertex="1", message="NoEmpty: 5% off\n", source=lines)

    assert shown(CiSystem.GITHUB, begun, marked).splitlines()[2:4] == [
        "#1 WARN: NoEmpty: 5% off ",
        "::warning title=img build,file=a%2Cb/Dockerfile,line=3,endLine=4::NoEmpty: 5%25 off ",
    ]
    unmarked = VertexWarning(vertex="1", message="x", source=outside)
    assert "::warning" not in shown(CiSystem.GITHUB, begun, unmarked)
    assert "::warning" not in shown(CiSystem.GITLAB, begun, marked)


@pytest.mark.parametrize("system", CiSystem)
@given(name=HOSTILE, output=HOSTILE, message=HOSTILE)
def test_no_text_of_a_build_is_a_command(
    system: CiSystem, name: str, output: str, message: str
) -> None:
    text = shown(
        system,
        VertexStarted(vertex="v", name=name),
        VertexOutput(vertex="v", stream=1, data=output.encode()),
        VertexWarning(vertex="v", message=message),
        VertexFailed(vertex="v", message=message),
    )
    # As the runner of GitHub and the web pages of GitLab find commands.
    commands = re.findall(r"(?m)^\s*(::.*)$|(##\[.*)$", text)
    sections = re.findall("section_(?:start|end):\\d+:[\\w.-]+(?:\\[.*?\\])?\r\x1b\\[0K", text)
    assert len(commands) == (2 if system is CiSystem.GITHUB else 0)
    assert len(sections) == (2 if system is CiSystem.GITLAB else 0)


def test_a_mark_without_a_file_has_no_place() -> None:
    assert Mark("error", "a\nb").command == "::error title=img build::a%0Ab"


def test_the_environment_says_which_system_reads_the_log() -> None:
    assert ci_system({}) is None
    assert ci_system({"GITHUB_ACTIONS": "true"}) is CiSystem.GITHUB
    assert ci_system({"GITLAB_CI": "true"}) is CiSystem.GITLAB
    assert ci_system({"GITLAB_CI": "true", "IMG_CI": "none"}) is None
    assert ci_system({"IMG_CI": "github"}) is CiSystem.GITHUB
    with pytest.raises(UsageError, match="jenkins"):
        ci_system({"IMG_CI": "jenkins"})
