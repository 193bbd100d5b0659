import pytest

from img.domain.dockerfile.instructions import Add
from img.domain.errors import DockerfileError
from img.domain.graph.operations import FetchGit
from img.domain.graph.remote_sources import fetch_git, fetch_url, is_git, is_url

ADD = Add(sources=(), destination="/", lines=(3, 3))


@pytest.mark.parametrize(
    ("source", "git", "url"),
    [
        ("https://h/r.git#v1", True, False),
        ("https://h/r.git?ref=v1", True, False),
        ("https://h/r", False, True),
        ("http://h/x.git/y", False, True),
        ("git://h/r", True, False),
        ("git@h:r", True, False),
        ("ssh://h/r", True, False),
        ("github.com/a/b", False, False),
        ("a:b", False, False),
    ],
)
def test_repositories_urls_and_paths_are_told_apart(source: str, git: bool, url: bool) -> None:
    assert (is_git(source), is_url(source)) == (git, url)


@pytest.mark.parametrize(
    ("source", "fetch"),
    [
        ("https://h/r.git", FetchGit(remote="https://h/r.git")),
        (
            "git@h:r.git#main:docs/",
            FetchGit(remote="git@h:r.git", ref="main", subdir="docs"),
        ),
        (
            "https://h/r.git?tag=v1&subdir=d%20e&submodules=0&keep-git-dir",
            FetchGit(
                remote="https://h/r.git",
                ref="refs/tags/v1",
                subdir="d e",
                keep_git_dir=True,
                submodules=False,
            ),
        ),
        (
            "https://h/r.git?branch=b&commit=c0ffee",
            FetchGit(remote="https://h/r.git", ref="refs/heads/b", checksum="c0ffee"),
        ),
    ],
)
def test_query_and_fragment_say_what_of_a_repository(source: str, fetch: FetchGit) -> None:
    assert fetch_git(source, ADD, "") == fetch


@pytest.mark.parametrize(
    "source",
    [
        "https://h/r.git?x=1",
        "https://h/r.git?ref=a#b",
        "https://h/r.git?tag=a&branch=b",
        "https://h/r.git?submodules=maybe",
        "https://h/r.git?checksum=1&commit=2",
    ],
)
def test_contradictions_are_refused_at_the_line(source: str) -> None:
    with pytest.raises(DockerfileError) as refusal:
        fetch_git(source, ADD, "")
    assert refusal.value.lines == (3, 3)


@pytest.mark.parametrize(
    ("url", "name"),
    [("http://h/a/b.tar?x#y", "b.tar"), ("http://h/a/", "a"), ("http://h", "__unnamed__")],
)
def test_a_download_is_called_as_the_end_of_its_path(url: str, name: str) -> None:
    assert fetch_url(url, ADD, "").filename == name
