"""Contract suite of git repositories."""

from dataclasses import dataclass
from threading import Event

import pytest

from img.application.ports.build_context import BuildContext
from img.application.ports.git import (
    GitAccess,
    GitCanceled,
    GitCheckout,
    GitError,
    GitRepositories,
    RefNotFound,
)
from img.domain.errors import ContextError
from img.domain.git_commit import GitCommit

NEVER = Event()
PUBLIC = GitAccess()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosted:
    """A repository, and the names of its commits.

    ``first`` has the tag v1 and the files ``x`` (1) and ``run`` (#!). ``second`` is the branch main
    and has the annotated tag v2; its ``x`` is 2. ``dev`` is the branch dev, which adds ``app/file``
    (from git).
    """

    git: GitRepositories
    remote: str
    first: str
    second: str
    dev: str


def files_of(context: BuildContext) -> dict[str, bytes]:
    contents = {}
    for entry in context.tree().walk(""):
        if entry.kind == "f":
            with context.open(entry.path) as content:
                contents[entry.path] = content.read()
    return contents


def checked_out(hosted: Hosted, ref: str, **options: str) -> dict[str, bytes]:
    commit = hosted.git.commit_of(hosted.remote, ref, PUBLIC, NEVER)
    wanted = GitCheckout(remote=hosted.remote, commit=commit, **options)  # type: ignore[arg-type]
    with hosted.git.checkout(wanted, PUBLIC, NEVER) as found:
        return files_of(found.files)


class GitRepositoriesContract:
    """Promises of every GitRepositories.

    Fixtures: ``hosted``, a Hosted.
    """

    def test_refs_lead_to_commits(self, hosted: Hosted) -> None:
        def commit_of(ref: str) -> str:
            return hosted.git.commit_of(hosted.remote, ref, PUBLIC, NEVER).name

        assert commit_of("") == hosted.second
        assert commit_of("dev") == hosted.dev
        assert commit_of("refs/heads/dev") == hosted.dev
        assert commit_of("v1") == commit_of("refs/tags/v1") == hosted.first
        assert commit_of("v2") == hosted.second  # not the tag's own name

    def test_the_whole_name_of_a_commit_is_taken_as_it_is(self, hosted: Hosted) -> None:
        nowhere = "https://h/nowhere.git"
        name = "f" * 40
        assert hosted.git.commit_of(nowhere, name, PUBLIC, NEVER) == GitCommit(name=name)

    def test_a_ref_that_is_not_there_is_named(self, hosted: Hosted) -> None:
        with pytest.raises(RefNotFound, match="does not contain ref nope"):
            hosted.git.commit_of(hosted.remote, "nope", PUBLIC, NEVER)

    def test_a_branch_a_tag_and_a_commit_are_checked_out(self, hosted: Hosted) -> None:
        assert checked_out(hosted, "") == {"x": b"2", "run": b"#!"}
        assert checked_out(hosted, "v1") == {"x": b"1", "run": b"#!"}
        assert checked_out(hosted, "v2")["x"] == b"2"
        assert checked_out(hosted, hosted.first)["x"] == b"1"

    def test_a_directory_of_a_repository_is_checked_out(self, hosted: Hosted) -> None:
        assert checked_out(hosted, "dev", subdir="app") == {"file": b"from git"}
        with pytest.raises(ContextError, match="nope"):
            checked_out(hosted, "dev", subdir="nope")

    def test_a_repository_that_is_not_there_is_named_without_its_password(
        self, hosted: Hosted
    ) -> None:
        remote = hosted.remote.replace("://", "://u:hidden@").replace("/r", "/other")
        with pytest.raises(GitError, match="failed to fetch remote") as failure:
            hosted.git.commit_of(remote, "main", PUBLIC, NEVER)
        assert "hidden" not in failure.value.message

    def test_a_commit_that_is_not_there_is_named(self, hosted: Hosted) -> None:
        with pytest.raises(RefNotFound, match="f" * 40):
            checked_out(hosted, "f" * 40)

    def test_nothing_is_done_that_is_cancelled(self, hosted: Hosted) -> None:
        cancelled = Event()
        cancelled.set()
        with pytest.raises((GitCanceled, RefNotFound)):
            hosted.git.commit_of(hosted.remote, "nope", PUBLIC, cancelled)
