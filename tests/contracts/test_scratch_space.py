"""Contract tests of scratch space."""

import errno
import os
import tempfile
from pathlib import Path
from typing import NoReturn

import pytest

from img.adapters.scratch_space.files import FileScratchSpace
from img.adapters.scratch_space.memory import MemoryScratchSpace
from img.application.ports.blob_store import StoreFull
from img.application.ports.scratch_space import ScratchSpace
from img.testing.scratch_space import ScratchSpaceContract


@pytest.fixture(params=["files", "memory"])
def space(request: pytest.FixtureRequest, tmp_path: Path) -> ScratchSpace:
    return FileScratchSpace(tmp_path / "tmp") if request.param == "files" else MemoryScratchSpace()


class TestScratchSpace(ScratchSpaceContract):
    pass


def test_a_file_has_no_name_that_a_crash_could_leave(tmp_path: Path) -> None:
    with FileScratchSpace(tmp_path / "tmp").new() as file:
        file.write(b"x")
        file.flush()

        assert os.listdir(tmp_path / "tmp") == []


def test_a_disk_without_room_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tempfile, "TemporaryFile", full)

    with pytest.raises(StoreFull, match=f"no room left in {tmp_path}"):
        FileScratchSpace(tmp_path).new()
