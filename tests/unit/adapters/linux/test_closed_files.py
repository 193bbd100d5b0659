"""Files of ours with modes that keep their owner out."""

import errno
import os
import stat
from pathlib import Path

import pytest

from img.adapters.linux.closed_files import as_owner


def test_a_file_that_takes_the_name_meanwhile_keeps_its_mode(tmp_path: Path) -> None:
    closed, outside = tmp_path / "closed", tmp_path / "outside"
    closed.touch(0o600)
    closed.chmod(0o077)
    outside.touch(0o600)
    refusals = [PermissionError(errno.EACCES, "closed")]

    def act() -> None:
        if refusals:
            raise refusals.pop()
        closed.rename(tmp_path / "moved")
        closed.symlink_to(outside)

    as_owner(os.fspath(closed), act)

    assert stat.S_IMODE(outside.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "moved").stat().st_mode) == 0o077


def test_what_is_no_file_is_refused_as_before(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o077)

    def act() -> None:
        raise PermissionError(errno.EACCES, "closed")

    with pytest.raises(PermissionError, match="closed"):
        as_owner(os.fspath(tmp_path / "pipe"), act)
