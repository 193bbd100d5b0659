"""Names that a Dockerfile gives to files, by here-documents, URLs and ids of secrets."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.domain.dockerfile.instructions import Add
from img.domain.dockerfile.raw import Heredoc
from img.domain.errors import DockerfileError
from img.domain.filesystem.file_name import is_file_name
from img.domain.graph.heredoc_files import file_name_of
from img.domain.graph.operations import CopyFiles, Exec
from img.domain.graph.remote_sources import fetch_url
from tests.support.plans import operation_of, plan_of

ADD = Add(sources=(), destination="/", lines=(3, 4))
TEXTS = st.text(max_size=6) | st.lists(
    st.sampled_from(["", ".", "..", "%2e", "%2E%2e", "%2f", "%00", "%5c", "a", "?", "#", "\0"]),
    max_size=6,
).flatmap(lambda parts: st.sampled_from(["", "/"]).map(lambda glue: glue.join(parts)))


def a_heredoc(name: str) -> Heredoc:
    return Heredoc(name=name, content="x", expand=False, chomp=False, descriptor=0)


@pytest.mark.parametrize(
    ("written", "name"),
    [("EOF", "EOF"), ("../x", "x"), ("./x", "x"), ("/x", "x"), ("../../..x", "..x")],
)
def test_a_heredoc_is_called_by_the_last_part_of_its_name(written: str, name: str) -> None:
    copy = operation_of(plan_of(f'FROM scratch\nCOPY <<"{written}" /\nx\n{written}\n'))
    assert isinstance(copy, CopyFiles)
    assert [file.name for file in copy.inline] == [name]


@pytest.mark.parametrize("name", ["..", ".", "/", "a/..", "n" * 256])
@pytest.mark.parametrize("instruction", ["COPY <<{} /", "ADD <<{} /", "COPY <<A <<{} /d/"])
def test_a_heredoc_whose_name_is_a_directory_is_refused(instruction: str, name: str) -> None:
    bodies = ("a\nA\n" if "<<A" in instruction else "") + f"x\n{name}\n"
    text = f"FROM scratch\n\n{instruction}\n{bodies}".replace("{}", f'"{name}"')
    with pytest.raises(DockerfileError, match="cannot be the name of a file") as caught:
        plan_of(text)
    assert caught.value.lines == (3, 3 + bodies.count("\n"))


def test_a_script_is_a_file_too() -> None:
    with pytest.raises(DockerfileError, match=r"here-document '\.\.' cannot be the name of a file"):
        plan_of('FROM busybox\nRUN <<".."\n#!/bin/sh\n..\n')
    run = operation_of(plan_of('FROM busybox\nRUN <<"../../x"\n#!/bin/sh\n../../x\n'))
    assert isinstance(run, Exec)
    assert [file.name for file in run.files] == ["x"]
    assert run.argv[-1] == "/dev/pipes/x"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://h", "__unnamed__"),
        ("http://h/.", "__unnamed__"),
        ("http://h/a/", "a"),
        ("http://h/a%2fb", "b"),
        ("http://h/..%2fb", "b"),
        ("http://h/%2e%2e.", "..."),
        ("http://h/a?/..", "a"),
    ],
)
def test_a_download_is_called_by_the_last_part_of_its_path(url: str, name: str) -> None:
    assert fetch_url(url, ADD, "").filename == name


@pytest.mark.parametrize(
    "url",
    [
        "http://h/..",
        "http://h/../",
        "http://h/%2e%2e",
        "http://h/a%2f..",
        "http://h/a%00",
        "http://h/" + "n" * 256,
    ],
)
def test_a_download_whose_name_leads_elsewhere_is_refused(url: str) -> None:
    with pytest.raises(DockerfileError, match="cannot be the name of a file") as caught:
        fetch_url(url, ADD, "")
    assert caught.value.lines == (3, 4)


def test_the_message_shows_no_password() -> None:
    with pytest.raises(DockerfileError) as caught:
        fetch_url("http://me:secret@h/..", ADD, "")
    assert "secret" not in caught.value.message


@given(TEXTS)
def test_every_name_leads_into_the_directory_or_is_refused(text: str) -> None:
    with contextlib.suppress(DockerfileError):
        assert is_file_name(file_name_of(a_heredoc(text), (1, 1)))
    with contextlib.suppress(DockerfileError):
        assert is_file_name(fetch_url(f"http://h/{text}", ADD, "").filename)


@pytest.mark.parametrize("id_", ["..", "a/..", "a/", "."])
def test_a_secret_lies_below_run_secrets(id_: str) -> None:
    with pytest.raises(DockerfileError, match="cannot be the name of a file") as caught:
        plan_of(f"FROM busybox\nRUN --mount=type=secret,id={id_} true")
    assert caught.value.lines == (2, 2)
    plan_of(f"FROM busybox\nRUN --mount=type=secret,id={id_},target=/s true")
