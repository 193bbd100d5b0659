"""Contract tests of volumes."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from img.adapters.host_volumes import local
from img.adapters.host_volumes.local import LocalVolumes
from img.adapters.host_volumes.memory import MemoryVolumes
from img.application.ports.host_volumes import HostVolumes, VolumeNotFound
from img.domain.options.volumes import VolumeSpec
from img.testing.host_volumes import HostVolumesContract


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    directory = tmp_path / "source"
    (directory / "sub").mkdir(parents=True)
    (directory / "sub/file").write_text("text")
    return directory


@pytest.fixture
def source(directory: Path) -> str:
    return str(directory)


@pytest.fixture(params=["local", "memory"])
def volumes(request: pytest.FixtureRequest, source: str) -> HostVolumes:
    return LocalVolumes() if request.param == "local" else MemoryVolumes({source: "state"})


class TestHostVolumes(HostVolumesContract):
    pass


def state_of(directory: Path) -> str:
    return LocalVolumes().find(VolumeSpec(str(directory), "/data", read_only=True)).state


@pytest.mark.parametrize(
    "change",
    [
        lambda directory: (directory / "sub/file").write_text("TEXT"),
        lambda directory: (directory / "sub/file").chmod(0o600),
        lambda directory: (directory / "sub/new").touch(),
        lambda directory: (directory / "sub/file").unlink(),
        lambda directory: (directory / "sub/file").rename(directory / "sub/renamed"),
        lambda directory: os.utime(directory / "sub/file", (0, 0)),
        lambda directory: directory.chmod(0o700),
    ],
)
def test_each_change_of_a_file_is_another_state(
    directory: Path, change: Callable[[Path], object]
) -> None:
    before = state_of(directory)

    change(directory)

    assert state_of(directory) not in ("", before)


def test_a_link_to_the_source_is_followed_once_and_links_inside_are_not(directory: Path) -> None:
    (directory.parent / "link").symlink_to("source")
    (directory / "loop").symlink_to(".")

    found = LocalVolumes().find(VolumeSpec(str(directory.parent / "link"), "/data", read_only=True))

    assert found.source == str(directory)
    assert found.inode == directory.stat().st_ino
    assert found.state == state_of(directory)


def test_a_file_that_goes_on_changing_has_no_state(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    def change(pause_s: float) -> None:
        pauses.append(pause_s)
        (directory / "sub/file").touch()

    monkeypatch.setattr(time, "sleep", change)
    (directory / "sub/file").touch()

    assert state_of(directory) == ""
    assert pauses[0] > 0


def test_what_takes_too_long_to_compare_has_no_state(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "_MOST", 1)

    assert state_of(directory) == ""


def test_a_pipe_is_no_volume(directory: Path) -> None:
    os.mkfifo(directory / "pipe")

    with pytest.raises(VolumeNotFound, match="not a directory"):
        LocalVolumes().find(VolumeSpec(str(directory / "pipe"), "/data"))
