"""Contract tests of volumes."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from img.adapters.host_volumes import local
from img.adapters.host_volumes.local import LocalVolumes
from img.adapters.host_volumes.memory import MemoryVolumes
from img.application.ports.host_volumes import HostVolumes, VolumeNotFound
from img.domain.options.volumes import VolumeSpec


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "sub/file").write_text("text")
    return source


@pytest.fixture(params=["local", "memory"])
def volumes(request: pytest.FixtureRequest, source: Path) -> HostVolumes:
    return LocalVolumes() if request.param == "local" else MemoryVolumes({str(source): "state"})


def test_only_a_volume_that_steps_can_only_read_has_a_state(
    volumes: HostVolumes, source: Path
) -> None:
    reading = volumes.find(VolumeSpec(str(source), "/data", read_only=True))
    writing = volumes.find(VolumeSpec(str(source), "/data"))

    assert reading.state == volumes.find(VolumeSpec(str(source), "/data", read_only=True)).state
    assert reading.state
    assert (writing.state, writing.source, writing.target) == ("", str(source), "/data")


def test_a_source_that_is_missing_is_named(volumes: HostVolumes, source: Path) -> None:
    with pytest.raises(VolumeNotFound) as caught:
        volumes.find(VolumeSpec(f"{source}/missing", "/data"))

    assert f"{source}/missing: No such file or directory" in caught.value.message


def state_of(source: Path) -> str:
    return LocalVolumes().find(VolumeSpec(str(source), "/data", read_only=True)).state


@pytest.mark.parametrize(
    "change",
    [
        lambda source: (source / "sub/file").write_text("TEXT"),
        lambda source: (source / "sub/file").chmod(0o600),
        lambda source: (source / "sub/new").touch(),
        lambda source: (source / "sub/file").unlink(),
        lambda source: (source / "sub/file").rename(source / "sub/renamed"),
        lambda source: os.utime(source / "sub/file", (0, 0)),
        lambda source: source.chmod(0o700),
    ],
)
def test_each_change_of_a_file_is_another_state(
    source: Path, change: Callable[[Path], object]
) -> None:
    before = state_of(source)

    change(source)

    assert state_of(source) not in ("", before)


def test_a_link_to_the_source_is_followed_once_and_links_inside_are_not(source: Path) -> None:
    (source.parent / "link").symlink_to("source")
    (source / "loop").symlink_to(".")

    found = LocalVolumes().find(VolumeSpec(str(source.parent / "link"), "/data", read_only=True))

    assert found.source == str(source)
    assert found.inode == source.stat().st_ino
    assert found.state == state_of(source)


def test_what_takes_too_long_to_compare_has_no_state(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "_MOST", 1)

    assert state_of(source) == ""


def test_a_pipe_is_no_volume(source: Path) -> None:
    os.mkfifo(source / "pipe")

    with pytest.raises(VolumeNotFound, match="not a directory"):
        LocalVolumes().find(VolumeSpec(str(source / "pipe"), "/data"))
