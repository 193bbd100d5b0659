from pathlib import Path

import pytest

from img.adapters.linux.files import Lock


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
