"""Commits as text, and the checksums that name them."""

import pytest

from img.domain.git_commit import GitCommit, InvalidCommit

COMMIT, TAG = "1" * 40, "2" * 40


@pytest.mark.parametrize(
    "commit",
    [
        GitCommit(name=COMMIT),
        GitCommit(name=COMMIT, ref="HEAD"),
        GitCommit(name=COMMIT, ref="refs/tags/v1", tag=TAG),
    ],
)
def test_a_commit_is_read_as_it_is_written(commit: GitCommit) -> None:
    assert GitCommit.parse(str(commit)) == commit


@pytest.mark.parametrize("text", [f"{COMMIT} {TAG}", f"{COMMIT} refs/tags/v1 2", "refs/tags/v1"])
def test_a_text_without_a_whole_hash_is_no_commit(text: str) -> None:
    with pytest.raises(InvalidCommit):
        GitCommit.parse(text)


def test_a_checksum_is_that_of_the_commit_or_of_its_tag_object() -> None:
    commit = GitCommit(name=COMMIT, ref="refs/tags/v1", tag=TAG)

    assert commit.has_checksum("")
    assert commit.has_checksum(COMMIT)
    assert commit.has_checksum(TAG[:7])
    assert not commit.has_checksum("3333")
    assert not GitCommit(name=COMMIT).has_checksum(TAG)
