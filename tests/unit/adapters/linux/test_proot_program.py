"""The directory in which PRoot executes its loader."""

from pathlib import Path

import pytest

from img.adapters.linux.proot_program import LoaderNotExecutable, loader_directory

_MISSING = "/nowhere"


@pytest.fixture
def older(tmp_path: Path) -> str:
    """Return a PRoot without a variable for the directory, as 5.1."""
    (tmp_path / "proot-5.1").write_bytes(b"\x7fELF PROOT_LOADER")
    return str(tmp_path / "proot-5.1")


def test_a_directory_that_allows_it_is_used(older: str, tmp_path: Path) -> None:
    assert loader_directory(older, {}, str(tmp_path)) == str(tmp_path)
    assert loader_directory(older, {"PROOT_TMP_DIR": str(tmp_path)}, _MISSING) == str(tmp_path)


def test_a_directory_that_does_not_allow_it_is_named(older: str) -> None:
    with pytest.raises(LoaderNotExecutable) as told:
        loader_directory(older, {}, _MISSING)

    assert told.value.message.startswith(f"{_MISSING} is not writable")
    assert f"--tmpfs {_MISSING}:exec" in (told.value.hint or "")


def test_a_newer_proot_takes_another_directory(tmp_path: Path) -> None:
    (tmp_path / "proot-5.4").write_bytes(b"\x7fELF PROOT_TMP_DIR")

    assert loader_directory(str(tmp_path / "proot-5.4"), {}, _MISSING) is None


def test_a_loader_that_is_given_needs_no_directory(older: str) -> None:
    assert loader_directory(older, {"PROOT_LOADER": "/usr/lib/loader"}, _MISSING) == _MISSING
