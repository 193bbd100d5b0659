"""Contract tests of git repositories."""

import os
import shutil
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest

from img.adapters.build_context.directory import DirectoryContext
from img.adapters.build_context.memory import MemoryContext
from img.adapters.file_digest_store.memory import MemoryFileDigestStore
from img.adapters.git.command import Command
from img.adapters.git.memory import MemoryGit, MemoryRepository
from img.adapters.git.program import GitProgram
from img.application.ports.build_context import BuildContext
from img.application.ports.git import (
    GitAccess,
    GitCanceled,
    GitCheckout,
    GitError,
    GitUnavailable,
)
from img.domain.errors import ContextError
from img.domain.git_commit import GitCommit
from img.testing.git import NEVER, PUBLIC, GitRepositoriesContract, Hosted, checked_out, files_of
from tests.support.servers.git_server import FIRST_COMMIT, GitServer, Repository

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def open_directory(path: Path) -> BuildContext:
    return DirectoryContext(path, known=MemoryFileDigestStore())


def _filled(path: Path) -> tuple[str, str, str]:
    repository = Repository(path)
    first = repository.commit({"x": "1", "run": "#!"}, executable=["run"])
    repository.git("tag", "v1")
    second = repository.commit({"x": "2"})
    repository.git("tag", "-a", "-m", "two", "v2")
    repository.git("checkout", "-q", "-b", "dev")
    dev = repository.commit({"app/file": "from git"})
    repository.git("checkout", "-q", "main")
    repository.git("update-server-info")
    return first, second, dev


@contextmanager
def _served(root: Path, *, smart: bool) -> Iterator[Hosted]:
    first, second, dev = _filled(root / "served" / "repo")
    with GitServer(root / "served", smart=smart) as server:
        yield Hosted(
            git=GitProgram(root / "room", open_directory),
            remote=f"{server.url}/repo/.git",
            first=first,
            second=second,
            dev=dev,
        )


@contextmanager
def smart(root: Path) -> Iterator[Hosted]:
    with _served(root, smart=True) as hosted:
        yield hosted


@contextmanager
def dumb(root: Path) -> Iterator[Hosted]:
    with _served(root, smart=False) as hosted:
        yield hosted


@contextmanager
def in_memory(_root: Path) -> Iterator[Hosted]:
    first, second, dev = "1" * 40, "2" * 40, "3" * 40
    repository = MemoryRepository(
        refs={
            "refs/heads/main": second,
            "refs/heads/dev": dev,
            "refs/tags/v1": first,
            "refs/tags/v2": second,
        },
        files={
            (first, ""): MemoryContext({"x": b"1", "run": b"#!"}),
            (second, ""): MemoryContext({"x": b"2", "run": b"#!"}),
            (dev, ""): MemoryContext({"x": b"2", "run": b"#!", "app/file": b"from git"}),
            (dev, "app"): MemoryContext({"file": b"from git"}),
        },
        committed=FIRST_COMMIT,
    )
    remote = "https://h/r.git"
    yield Hosted(
        git=MemoryGit({remote: repository}), remote=remote, first=first, second=second, dev=dev
    )


@pytest.fixture(
    params=[pytest.param(smart, marks=needs_git), pytest.param(dumb, marks=needs_git), in_memory]
)
def hosted(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Hosted]:
    with request.param(tmp_path) as found:
        yield found


# --- the program alone ---


@pytest.fixture
def room(tmp_path: Path) -> Path:
    return tmp_path / "room"


class TestGitRepositories(GitRepositoriesContract):
    pass


@needs_git
def test_an_annotated_tag_has_a_hash_of_its_own(tmp_path: Path) -> None:
    with smart(tmp_path) as hosted:
        annotated = hosted.git.commit_of(hosted.remote, "v2", PUBLIC, NEVER)
        plain = hosted.git.commit_of(hosted.remote, "v1", PUBLIC, NEVER)

    assert annotated.name == hosted.second
    assert annotated.tag not in ("", hosted.second)
    assert plain.tag == ""


@needs_git
def test_nothing_is_left_of_a_checkout(tmp_path: Path, room: Path) -> None:
    with smart(tmp_path) as hosted:
        checked_out(hosted, "main")
        with pytest.raises(ContextError):
            checked_out(hosted, "main", subdir="nope")
    assert list(room.iterdir()) == []


@needs_git
def test_modes_are_0644_and_0755_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        with smart(tmp_path) as hosted:
            commit = GitCommit(name=hosted.dev)
            wanted = GitCheckout(remote=hosted.remote, commit=commit)
            with hosted.git.checkout(wanted, PUBLIC, NEVER) as found:
                modes = {entry.path: entry.mode for entry in found.files.tree().walk("app")}
                modes |= {e.path: e.mode for e in found.files.tree().walk("") if e.path == "run"}
                assert found.committed == FIRST_COMMIT + 2000
    finally:
        os.umask(before)
    assert modes == {"app": 0o755, "app/file": 0o644, "run": 0o755}


@needs_git
def test_history_is_not_fetched(tmp_path: Path) -> None:
    with smart(tmp_path) as hosted:
        wanted = GitCheckout(
            remote=hosted.remote,
            commit=GitCommit(name=hosted.dev, ref="refs/heads/dev"),
            keep_git_dir=True,
        )
        with hosted.git.checkout(wanted, PUBLIC, NEVER) as found:
            shallow = found.files.read_file(".git/shallow")
    assert shallow is not None
    assert shallow.decode().split() == [hosted.dev]


@needs_git
@pytest.mark.parametrize("ref", ["refs/heads/main", "refs/heads/gone", "HEAD"])
def test_a_ref_that_has_moved_names_the_commit_in_a_repository_that_is_kept(
    ref: str, tmp_path: Path
) -> None:
    with smart(tmp_path) as hosted:
        commit = GitCommit(name=hosted.first, ref=ref)
        wanted = GitCheckout(remote=hosted.remote, commit=commit, keep_git_dir=True)
        with hosted.git.checkout(wanted, PUBLIC, NEVER) as found:
            kept = files_of(found.files)
    name = "refs/remotes/origin/HEAD" if ref == "HEAD" else ref
    assert kept[f".git/{name}"].decode().strip() == hosted.first
    assert kept["x"] == b"1"


@needs_git
def test_a_repository_that_is_kept_tells_no_secrets(tmp_path: Path) -> None:
    with smart(tmp_path) as hosted:
        remote = hosted.remote.replace("://", "://u:hidden@")
        wanted = GitCheckout(remote=remote, commit=GitCommit(name=hosted.second), keep_git_dir=True)
        with hosted.git.checkout(wanted, PUBLIC, NEVER) as found:
            kept = files_of(found.files)
    assert kept[".git/HEAD"].decode().strip() == hosted.second
    assert not any(b"hidden" in content for content in kept.values())


@needs_git
def test_a_token_opens_what_is_private(tmp_path: Path) -> None:
    from base64 import b64encode

    _filled(tmp_path / "served" / "repo")
    with GitServer(tmp_path / "served", smart=True, token="t0p") as server:
        git = GitProgram(tmp_path / "room", open_directory)
        remote = f"{server.url}/repo/.git"
        with pytest.raises(GitError) as refusal:
            git.commit_of(remote, "main", PUBLIC, NEVER)
        assert refusal.value.hint is not None
        assert "GIT_AUTH_TOKEN" in refusal.value.hint
        basic = b64encode(b"x-access-token:t0p").decode()
        access = GitAccess(authorization=f"basic {basic}")
        commit = git.commit_of(remote, "main", access, NEVER)
        with git.checkout(GitCheckout(remote=remote, commit=commit), access, NEVER) as found:
            assert "x" in files_of(found.files)


@needs_git
def test_submodules_come_along_unless_they_are_not_wanted(tmp_path: Path) -> None:
    served = tmp_path / "served"
    part = Repository(served / "part")
    part.commit({"inner": "i"})
    whole = Repository(served / "whole")
    with GitServer(served, smart=True) as server:
        whole.git("submodule", "add", "-q", f"{server.url}/part/.git", "below/part")
        commit = GitCommit(name=whole.commit({"x": "1"}), ref="refs/heads/main")
        git = GitProgram(tmp_path / "room", open_directory)

        def files(submodules: bool) -> set[str]:
            wanted = GitCheckout(
                remote=f"{server.url}/whole/.git", commit=commit, submodules=submodules
            )
            with git.checkout(wanted, PUBLIC, NEVER) as found:
                return set(files_of(found.files))

        assert files(True) == {".gitmodules", "x", "below/part/inner"}
        assert files(False) == {".gitmodules", "x"}


@needs_git
def test_submodules_may_not_lead_to_files_of_this_machine(tmp_path: Path) -> None:
    served = tmp_path / "served"
    secret = Repository(tmp_path / "secret")
    secret.commit({"inner": "i"})
    whole = Repository(served / "whole")
    whole.git("submodule", "add", "-q", str(secret.path), "part")
    commit = GitCommit(name=whole.commit({"x": "1"}), ref="refs/heads/main")
    with GitServer(served, smart=True) as server:
        git = GitProgram(tmp_path / "room", open_directory)
        wanted = GitCheckout(remote=f"{server.url}/whole/.git", commit=commit)
        with pytest.raises(GitError, match="not allowed"), git.checkout(wanted, PUBLIC, NEVER):
            pass


@needs_git
def test_a_link_does_not_lead_out_of_the_repository(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "served" / "repo")
    (repository.path / "out").symlink_to("/etc")
    name = repository.commit({"x": "1"})
    with GitServer(tmp_path / "served", smart=True) as server:
        git = GitProgram(tmp_path / "room", open_directory)
        wanted = GitCheckout(
            remote=f"{server.url}/repo/.git", commit=GitCommit(name=name), subdir="out"
        )
        with pytest.raises(ContextError, match="subdir out"), git.checkout(wanted, PUBLIC, NEVER):
            pass


@needs_git
def test_the_users_own_configuration_has_no_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text('[url "http://127.0.0.1:1/"]\n\tinsteadOf = http://\n')
    monkeypatch.setenv("HOME", str(home))
    with smart(tmp_path) as hosted:
        assert checked_out(hosted, "main")["x"] == b"2"


@needs_git
def test_a_server_that_does_not_answer_can_be_left_at_once(tmp_path: Path) -> None:
    _filled(tmp_path / "served" / "repo")
    cancelled = Event()
    with GitServer(tmp_path / "served", smart=True) as server:
        server.delay.clear()
        threading.Timer(0.3, cancelled.set).start()
        began = time.monotonic()
        git = GitProgram(tmp_path / "room", open_directory)
        with pytest.raises(GitCanceled):
            git.commit_of(f"{server.url}/repo/.git", "main", PUBLIC, cancelled)
        assert time.monotonic() - began < 30  # the server does not answer before it ends
    assert list((tmp_path / "room").iterdir()) == []


def test_a_machine_without_git_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    git = GitProgram(tmp_path / "room", open_directory)
    with pytest.raises(GitUnavailable, match="git is needed for https:"):
        git.commit_of("https://h/r.git", "main", PUBLIC, NEVER)


def test_a_working_directory_that_is_gone_is_not_taken_for_a_missing_git(tmp_path: Path) -> None:
    command = Command(
        home=tmp_path / "gone",
        remote="https://u:p@h/r",
        access=PUBLIC,
        cancelled=NEVER,
        environment={},
    )
    with pytest.raises(GitError, match="gone, is not there any more") as caught:
        command("version")
    assert "u:p" not in caught.value.message


def test_what_was_left_by_a_crash_goes_after_a_day(tmp_path: Path, room: Path) -> None:
    for name, age in (("git-old", 25 * 3600), ("git-new", 60)):
        (room / name / "tree").mkdir(parents=True)
        at = time.time() - age
        os.utime(room / name, (at, at))
    git = GitProgram(room, open_directory)
    with pytest.raises(GitError):
        git.commit_of("http://127.0.0.1:1/r.git", "main", PUBLIC, NEVER)
    assert [path.name for path in room.iterdir()] == ["git-new"]
    assert stat.S_ISDIR(room.stat().st_mode)
