"""The loader of PRoot, and the directory in which PRoot executes it."""

import shutil
import subprocess
from pathlib import Path

from img.adapters.linux.proot_program import loader_directory, write_loader
from tests.support.host.machine import program

_MISSING = "/nowhere"


def test_a_directory_that_allows_it_is_used(tmp_path: Path) -> None:
    assert loader_directory({}, str(tmp_path)) == str(tmp_path)
    assert loader_directory({"PROOT_TMP_DIR": str(tmp_path)}, _MISSING) == str(tmp_path)


def test_without_such_a_directory_there_is_none() -> None:
    assert loader_directory({}, _MISSING) is None


def test_a_loader_that_is_given_needs_no_directory() -> None:
    assert loader_directory({"PROOT_LOADER": "/usr/lib/loader"}, _MISSING) == _MISSING


def test_the_loader_of_an_installed_proot_works_elsewhere(tmp_path: Path) -> None:
    variables = write_loader(program("proot"), str(tmp_path))

    loader = Path(variables["PROOT_LOADER"])
    assert (loader.parent, variables["PROOT_TMP_DIR"]) == (tmp_path, str(tmp_path))
    # PRoot checks this for users of a step, where the file belongs to root.
    assert loader.stat().st_mode & 0o777 == 0o555
    done = subprocess.run(
        [program("proot"), "-R", "/", shutil.which("true") or "/bin/true"],
        env=variables,
        check=False,
    )
    assert done.returncode == 0


def test_a_proot_without_a_loader_needs_none(tmp_path: Path) -> None:
    other = tmp_path / "proot"
    other.write_bytes(b"\x7fELF\x02 its loader is a file of its package")

    assert write_loader(str(other), str(tmp_path)) == {"PROOT_TMP_DIR": str(tmp_path)}
