"""Directories of a process: what is claimed, and what is removed."""

import os
from pathlib import Path

import pytest

from img.adapters.linux import capabilities
from img.adapters.storage.own_files import NotOwn
from img.adapters.storage.work_directory import WorkDirectory, bytes_below, remove_tree, sweep
from tests.support.host.descriptors import open_files, opened_since
from tests.support.host.machine import need_root
from tests.unit.adapters.linux.forked import exit_code_of

_OTHER = 64999  # a uid without a user


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """Return a directory that nothing may happen to."""
    victim = tmp_path / "victim"
    (victim / "deep").mkdir(parents=True)
    (victim / "deep/file").write_text("precious")
    return victim


def test_a_link_is_not_claimed_and_not_swept(tmp_path: Path, victim: Path) -> None:
    parent = tmp_path / "work"
    parent.mkdir()
    (parent / "leftover").symlink_to(victim)

    assert WorkDirectory.claim(str(parent / "leftover")) is None
    sweep(str(parent))

    assert (victim / "deep/file").read_text() == "precious"
    assert (parent / "leftover").is_symlink()


def test_files_are_not_claimed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    assert WorkDirectory.claim(str(tmp_path / "file")) is None
    assert WorkDirectory.claim(str(tmp_path / "nothing")) is None


def test_a_directory_of_another_user_is_not_claimed(victim: Path) -> None:
    need_root()
    os.chown(victim, _OTHER, _OTHER)

    assert WorkDirectory.claim(str(victim)) is None
    with pytest.raises(NotOwn, match="belongs to another user"):
        remove_tree(str(victim))

    assert (victim / "deep/file").exists()


def test_a_link_is_not_removed_as_a_tree(tmp_path: Path, victim: Path) -> None:
    (tmp_path / "link").symlink_to(victim)

    with pytest.raises(NotOwn, match="is a link"):
        remove_tree(str(tmp_path / "link"))

    assert (victim / "deep/file").exists()


def test_what_is_put_in_the_place_of_a_directory_stays(tmp_path: Path, victim: Path) -> None:
    directory = WorkDirectory.create(str(tmp_path))
    Path(directory.path, "file").write_text("")
    moved = tmp_path / "moved"
    os.rename(directory.path, moved)
    os.symlink(victim, directory.path)

    with pytest.raises(NotADirectoryError):
        directory.remove()

    assert (victim / "deep/file").exists()
    assert list(moved.iterdir()) == []


def test_a_tree_is_removed_with_links_in_it(tmp_path: Path, victim: Path) -> None:
    directory = WorkDirectory.create(str(tmp_path))
    Path(directory.path, "a/b").mkdir(parents=True)
    Path(directory.path, "a/b/link").symlink_to(victim)
    Path(directory.path, "link").symlink_to(victim)

    directory.remove()

    assert not Path(directory.path).exists()
    assert (victim / "deep/file").exists()


def test_closed_directories_are_removed_by_root_without_capabilities(tmp_path: Path) -> None:
    (tmp_path / "tree/closed/in it").mkdir(parents=True)
    (tmp_path / "tree/closed").chmod(0)

    def removed() -> int:
        capabilities.keep_only(0)
        remove_tree(str(tmp_path / "tree"))
        return 0

    assert exit_code_of(removed) == 0
    assert not (tmp_path / "tree").exists()


def test_directories_deeper_than_a_path_are_measured_and_removed(tmp_path: Path) -> None:
    directory = WorkDirectory.create(str(tmp_path))
    here = os.open(directory.path, os.O_PATH)
    for _ in range(5000):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_PATH, dir_fd=here)
        os.close(here)
        here = below
    with open(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here), "wb") as file:
        file.write(bytes(1 << 20))
    os.close(here)
    before = open_files()

    try:
        assert bytes_below(directory.path) >= 1 << 20
        assert opened_since(before) == []
    finally:
        directory.remove()  # pytest could not, and each later run would end with its RecursionError

    assert not Path(directory.path).exists()
