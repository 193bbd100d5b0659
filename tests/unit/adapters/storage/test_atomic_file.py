"""Files that appear whole or never."""

import errno
import os
from pathlib import Path
from typing import NoReturn

import pytest

from img.adapters.storage.atomic_file import NewFile, raise_state_error, write_file
from img.application.ports.blob_store import StoreFull
from img.domain.errors import StateError
from tests.support.host.machine import need_root


@pytest.fixture(params=["nameless", "named", "without hard links"])
def directory(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    def no_links(*_arguments: object, **_more: object) -> NoReturn:
        raise PermissionError(errno.EPERM, "no hard links here")

    if request.param != "nameless":
        monkeypatch.setattr(os, "O_TMPFILE", os.O_DIRECTORY)
    if request.param == "without hard links":
        monkeypatch.setattr(os, "link", no_links)
    return tmp_path / "files"


def new(directory: Path, content: bytes) -> NewFile:
    file = NewFile(str(directory), str(directory.parent / "temp_dir"))
    file.write(content)
    return file


def files_in(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_a_published_file_is_there_under_its_name(directory: Path) -> None:
    file = new(directory, b"content")
    assert files_in(directory) == {}

    file.publish("name")

    assert files_in(directory) == {"name": b"content"}
    assert (directory / "name").stat().st_mode & 0o777 == 0o644
    assert file.descriptor == -1


def test_a_published_file_never_takes_the_place_of_another(directory: Path) -> None:
    new(directory, b"first").publish("name")
    new(directory, b"second").publish("name")

    assert files_in(directory) == {"name": b"first"}
    assert not any(path.is_file() for path in directory.parent.glob("temp_dir/*"))


def test_a_file_can_be_replaced(directory: Path) -> None:
    new(directory, b"first").replace("name")
    write_file(str(directory), "name", [b"sec", b"ond"], str(directory.parent / "temp_dir"))

    assert files_in(directory) == {"name": b"second"}
    assert not any(path.is_file() for path in directory.parent.glob("temp_dir/*"))


def test_a_discarded_file_never_was(directory: Path) -> None:
    file = new(directory, b"content")
    file.discard()
    file.discard()

    assert files_in(directory) == {}
    assert not any(path.is_file() for path in directory.parent.glob("temp_dir/*"))


@pytest.mark.parametrize(
    ("number", "kind", "text"),
    [
        (errno.ENOSPC, StoreFull, "no space left"),
        (errno.EDQUOT, StoreFull, "no space left"),
        (errno.EROFS, StateError, "cannot be written"),
        (errno.EACCES, StateError, "cannot be written"),
        (errno.EIO, StateError, "cannot be used"),
    ],
)
def test_the_systems_errors_become_the_states(
    number: int, kind: type[StateError], text: str
) -> None:
    with pytest.raises(kind, match=text) as raised:
        raise_state_error(OSError(number, os.strerror(number)), "/state")

    assert "/state" in raised.value.message
    assert os.strerror(number) in raised.value.message


def test_of_a_state_that_cannot_be_made_the_directory_is_named_that_is_missing(
    tmp_path: Path,
) -> None:
    with pytest.raises(StateError) as raised:
        raise_state_error(PermissionError(errno.EACCES, "no"), f"{tmp_path}/img/snapshots/1/fs")

    assert raised.value.message == f"the state cannot be written: {tmp_path}/img: no"


@pytest.mark.parametrize("kind", ["link", "of another user"])
def test_a_temporary_directory_that_is_not_ours_is_left_alone(directory: Path, kind: str) -> None:
    victim, temp_dir = directory.parent / "victim", directory.parent / "temp_dir"
    victim.mkdir()
    (victim / "old").write_text("precious")
    os.utime(victim / "old", (0, 0))
    if kind == "link":
        temp_dir.symlink_to(victim)
    else:
        need_root()
        os.rename(victim, temp_dir)
        os.chown(temp_dir, 64999, 64999)
        victim = temp_dir

    new(directory, b"first").replace("name")
    new(directory, b"second").replace("name")

    assert files_in(directory) == {"name": b"second"}
    assert os.listdir(victim) == ["old"]
