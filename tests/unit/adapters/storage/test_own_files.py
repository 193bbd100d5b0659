import os
import stat
from pathlib import Path

import pytest

from img.adapters.storage.own_files import UMASK_MODE, Lock, NotOwn, make_directories, open_own_file
from tests.support.host.machine import need_root


def test_a_lock_keeps_a_second_one_out_until_it_is_given_back(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")

    with Lock(path), pytest.raises(BlockingIOError):
        Lock(path, wait=False).__enter__()

    with Lock(path, wait=False):
        pass


def test_shared_locks_go_together_and_keep_an_exclusive_one_out(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")

    first, second = Lock(path, shared=True), Lock(path, shared=True, wait=False)
    with first, second, pytest.raises(BlockingIOError):
        Lock(path, wait=False).__enter__()


@pytest.mark.parametrize("kind", ["link", "dangling link", "directory", "FIFO"])
def test_a_lock_is_a_regular_file_and_no_link(tmp_path: Path, kind: str) -> None:
    path, victim = tmp_path / "lock", tmp_path / "victim"
    match kind:
        case "link":
            victim.write_text("")
            path.symlink_to(victim)
        case "dangling link":
            path.symlink_to(victim)
        case "directory":
            path.mkdir()
        case _:
            os.mkfifo(path)

    with pytest.raises(OSError, match=r"is a link|regular|directory"):
        Lock(str(path)).__enter__()
    with pytest.raises(OSError, match=r"is a link|regular|directory"):
        open_own_file(str(path), os.O_WRONLY | os.O_CREAT)

    assert victim.exists() is (kind == "link")


def test_a_file_of_another_user_is_not_ours(tmp_path: Path) -> None:
    need_root()
    (tmp_path / "lock").write_text("")
    os.chown(tmp_path / "lock", 64999, 64999)

    with pytest.raises(NotOwn, match="another user"):
        Lock(str(tmp_path / "lock")).__enter__()
    with Lock(str(tmp_path / "lock"), any_owner=True):  # that of a layout which users share
        pass


@pytest.mark.parametrize("umask", [0, 0o022, 0o077, 0o277, 0o777])
def test_directories_are_private_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        make_directories(str(tmp_path / "a/b/c"))
        make_directories(str(tmp_path / "a/b/c"))
    finally:
        os.umask(before)

    modes = {stat.S_IMODE((tmp_path / path).stat().st_mode) for path in ("a", "a/b", "a/b/c")}
    assert modes == {0o700}


def test_directories_for_all_have_the_mode_that_the_user_likes(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        make_directories(str(tmp_path / "a/b"), UMASK_MODE)
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "a/b").stat().st_mode) == 0o750


def test_no_directory_is_made_where_a_link_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")

    with pytest.raises(FileExistsError):
        make_directories(str(tmp_path / "link"))


def test_another_thread_may_make_the_parent_in_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mkdir, parent = os.mkdir, tmp_path / "a"

    def after_the_other_thread(path: str, mode: int) -> None:
        try:
            mkdir(path, mode)
        finally:
            if not parent.exists():
                mkdir(parent)

    with monkeypatch.context() as patched:
        patched.setattr(os, "mkdir", after_the_other_thread)
        make_directories(str(parent / "b"))

    assert (parent / "b").is_dir()
    with pytest.raises(FileNotFoundError):
        make_directories("/proc/none")
