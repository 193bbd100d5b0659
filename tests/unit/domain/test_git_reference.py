"""Names of git repositories, beyond what BuildKit's own tables say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.domain.git_reference import BadGitReference, GitReference, is_commit, is_git

COMMIT = "c" * 40


@pytest.mark.parametrize(
    "text",
    [
        "https://h/r.git?ref=",
        "https://h/r.git?ref=a&ref=b",
        "https://h/r.git?ref=a#b",
        "https://h/r.git?subdir=a#:b",
        "https://h/r.git?commit=a&checksum=b",
        "https://h/r.git?keep-git-dir=maybe",
        "git@h:r?nope=1",
    ],
)
def test_what_cannot_be_is_refused_but_is_git_all_the_same(text: str) -> None:
    with pytest.raises(BadGitReference):
        GitReference.parse(text)
    assert is_git(text)


def test_flags_are_unsaid_true_or_false() -> None:
    assert GitReference.parse("https://h/r.git").keep_git_dir is None
    assert GitReference.parse("https://h/r.git?keep-git-dir").keep_git_dir is True
    assert GitReference.parse("https://h/r.git?submodules=0").submodules is False


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("https://h/r.git#v1", "v1"),
        (f"https://h/r.git?commit={COMMIT}", COMMIT),
        ("https://h/r.git?commit=cccc", ""),
        (f"https://h/r.git?commit={COMMIT}#v1", "v1"),
        (f"https://h/r.git?fetch-by-commit&commit={COMMIT}#v1", COMMIT),
    ],
)
def test_a_whole_commit_is_fetched_where_nothing_else_is_named(text: str, wanted: str) -> None:
    assert GitReference.parse(text).wanted == wanted


def test_a_name_without_scheme_is_fetched_by_https() -> None:
    assert GitReference.parse("github.com/a/b").address == "https://github.com/a/b"


def test_commits_are_named_by_sha1_or_sha256() -> None:
    assert is_commit("0" * 40)
    assert is_commit("0" * 64)
    assert not is_commit("0" * 39)
    assert not is_commit("v1")


_STEPS = st.lists(st.sampled_from(["..", ".", "a", "", "b c", "%2e%2e"]), max_size=6)


@given(_STEPS, st.sampled_from(["https://h/r.git#m:", "git@h:r.git#m:", "ssh://h/r#:"]))
def test_a_directory_in_a_fragment_never_climbs_out(steps: list[str], before: str) -> None:
    subdir = GitReference.parse(before + "/".join(steps)).subdir
    assert ".." not in subdir.split("/")
    assert not subdir.startswith("/")
