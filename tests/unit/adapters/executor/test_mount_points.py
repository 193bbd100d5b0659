"""Mount points that were made for a step, after it."""

import os
from pathlib import Path

import pytest

from img.adapters.executor.mount_points import remove_mount_points
from img.adapters.executor.reports import MountPoint


@pytest.fixture
def point(tmp_path: Path) -> MountPoint:
    """Return an empty file that stood in for /etc/hosts."""
    (tmp_path / "etc").mkdir()
    file = tmp_path / "etc/hosts"
    file.touch(0o644)
    file.chmod(0o644)
    status = file.stat()
    return MountPoint("etc/hosts", False, status.st_mtime_ns, status.st_ino)


def test_one_that_was_moved_with_its_directory_goes_as_well(
    tmp_path: Path, point: MountPoint
) -> None:
    (tmp_path / "a").mkdir()
    os.rename(tmp_path / "etc", tmp_path / "a/etc2")
    os.utime(tmp_path / "a/etc2", (1, 1))
    remove_mount_points(str(tmp_path), [point])
    assert os.listdir(tmp_path / "a/etc2") == []
    assert os.stat(tmp_path / "a/etc2").st_mtime == 1


def test_what_a_step_made_in_its_place_stays(tmp_path: Path, point: MountPoint) -> None:
    os.rename(tmp_path / "etc/hosts", tmp_path / "etc/kept")
    (tmp_path / "etc/hosts").write_text("mine")
    remove_mount_points(str(tmp_path), [point])
    assert sorted(os.listdir(tmp_path / "etc")) == ["hosts", "kept"]


def test_one_that_was_moved_and_filled_stays(tmp_path: Path, point: MountPoint) -> None:
    os.rename(tmp_path / "etc", tmp_path / "etc2")
    (tmp_path / "etc2/hosts").write_text("mine")
    remove_mount_points(str(tmp_path), [point])
    assert os.listdir(tmp_path / "etc2") == ["hosts"]
