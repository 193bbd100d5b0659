"""Files that become entries of a layer, while something else takes their place."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from img.adapters.storage.file_entries import open_file


def test_a_file_is_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")

    with open_file(str(tmp_path / "file")) as file:
        assert file.read() == b"content"


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("replace", "said"),
    [
        (os.mkfifo, "a FIFO"),
        (lambda path: os.symlink("other", path), "a symbolic link"),
        (os.mkdir, "directory"),
    ],
)
def test_what_replaced_a_file_is_an_error_and_does_not_block(
    replace: Callable[[str], None], said: str, tmp_path: Path
) -> None:
    (tmp_path / "other").write_bytes(b"content")
    path = str(tmp_path / "file")
    replace(path)

    with pytest.raises(OSError, match=f"(?i){said}"):
        open_file(path)
