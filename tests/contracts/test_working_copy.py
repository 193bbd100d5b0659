"""Contract tests of working copies."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from img.adapters.working_copy.git import GitWorkingCopies
from img.adapters.working_copy.memory import MemoryWorkingCopies
from img.application.ports.working_copy import WorkingCopies, WorkingCopy
from img.testing.working_copy import WorkingCopiesContract

REMOTE = "https://example.com/a.git"
REVISION = "0123456789" * 4
_IDENTITY = ("-c", "user.name=a", "-c", "user.email=a@example.com")


def git(directory: Path, *words: str) -> None:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(
        ["git", *_IDENTITY, *words], cwd=directory, check=True, env=environment, capture_output=True
    )


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    top = tmp_path_factory.mktemp("copies")
    clean = top / "clean"
    (clean / "part").mkdir(parents=True)
    (clean / "part/file").write_text("1")
    (clean / ".gitignore").write_text("ignored\n")
    (clean / "ignored").write_text("x")
    git(clean, "init", "-q")
    git(clean, "remote", "add", "origin", REMOTE)
    git(clean, "add", ".")
    git(clean, "commit", "-qm", "first")
    changed = top / "changed"
    shutil.copytree(clean, changed)
    (changed / "new").write_text("1")
    (top / "outside").mkdir()
    names = ("clean", "changed", "outside")
    return {**{name: str(top / name) for name in names}, "inside": str(clean / "part")}


@pytest.fixture
def clean(places: dict[str, str]) -> str:
    return places["clean"]


@pytest.fixture
def changed(places: dict[str, str]) -> str:
    return places["changed"]


@pytest.fixture
def outside(places: dict[str, str]) -> str:
    return places["outside"]


@pytest.fixture
def inside(places: dict[str, str]) -> str:
    return places["inside"]


@pytest.fixture(params=["git", "memory"])
def copies(request: pytest.FixtureRequest, places: dict[str, str]) -> WorkingCopies:
    if request.param == "git":
        return GitWorkingCopies(os.environ)
    first = WorkingCopy(revision=REVISION, is_changed=False, remote=REMOTE)
    return MemoryWorkingCopies(
        {
            places["clean"]: first,
            places["changed"]: WorkingCopy(revision=REVISION, is_changed=True),
            places["inside"]: WorkingCopy(revision=REVISION, is_changed=False, directory="part"),
        }
    )


class TestWorkingCopies(WorkingCopiesContract):
    pass


def test_nothing_that_a_repository_names_is_run(tmp_path: Path) -> None:
    shown = tmp_path / "shown"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {shown}\ncat\n")
    program.chmod(0o755)
    copy = tmp_path / "copy"
    copy.mkdir()
    git(copy, "init", "-q")
    (copy / "file").write_text("1")
    git(copy, "add", ".")
    git(copy, "commit", "-qm", "first")
    (copy / ".gitattributes").write_text("* filter=evil\n")
    for setting in ("filter.evil.clean", "filter.evil.process", "core.fsmonitor"):
        git(copy, "config", setting, str(program))
    (copy / "file").write_text("2")
    (copy / ".git/hooks/post-index-change").symlink_to(program)
    shown.unlink(missing_ok=True)

    found = GitWorkingCopies(os.environ).find(str(copy))

    assert found is not None and found.is_changed
    assert not shown.exists()


def test_a_further_working_tree_of_a_repository_is_one(places: dict[str, str]) -> None:
    tree = f"{places['outside']}/tree"
    git(Path(places["clean"]), "worktree", "add", "-q", tree)

    found = GitWorkingCopies(os.environ).find(tree)

    git(Path(places["clean"]), "worktree", "remove", tree)
    assert found is not None and not found.is_changed and found.remote == REMOTE


def test_pipes_and_empty_repositories_are_no_working_copies(tmp_path: Path) -> None:
    (tmp_path / "a/.git").mkdir(parents=True)
    os.mkfifo(tmp_path / "a/.git/HEAD")
    (tmp_path / "b").mkdir()
    git(tmp_path / "b", "init", "-q")
    copies = GitWorkingCopies(os.environ)

    assert copies.find(str(tmp_path / "a")) is None
    assert copies.find(str(tmp_path / "b")) is None
