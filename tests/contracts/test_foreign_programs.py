"""Contract tests of checks for programs of other platforms."""

from pathlib import Path

import pytest

from img.adapters.foreign_programs.binfmt import BinfmtPrograms
from img.adapters.foreign_programs.memory import MemoryPrograms
from img.application.ports.foreign_programs import ForeignPrograms
from img.domain.platform import Platform
from img.testing.foreign_programs import ForeignProgramsContract

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")
# As the kernel shows a registered interpreter (Linux binfmt-misc.rst).
ENTRY = "{state}\ninterpreter /usr/bin/qemu-aarch64-static\nflags: {flags}\noffset 0\nmagic 7f45\n"


def registered(directory: Path, state: str = "enabled", flags: str = "OCF") -> BinfmtPrograms:
    (directory / "qemu-aarch64").write_text(ENTRY.format(state=state, flags=flags))
    return BinfmtPrograms(AMD64, directory)


@pytest.fixture(params=["binfmt", "memory"])
def programs(request: pytest.FixtureRequest, tmp_path: Path) -> ForeignPrograms:
    return registered(tmp_path) if request.param == "binfmt" else MemoryPrograms(AMD64, ARM64)


class TestForeignPrograms(ForeignProgramsContract):
    pass


@pytest.mark.parametrize(("state", "flags"), [("disabled", "OCF"), ("enabled", "OC")])
def test_an_interpreter_that_is_disabled_or_looked_for_in_the_root_is_of_no_use(
    tmp_path: Path, state: str, flags: str
) -> None:
    assert not registered(tmp_path, state, flags).run(ARM64)


def test_a_machine_without_binfmt_misc_runs_its_own_programs(tmp_path: Path) -> None:
    programs = BinfmtPrograms(AMD64, tmp_path / "nowhere")

    assert programs.run(AMD64)
    assert programs.run(Platform("linux", "386"))  # the kernel's own compatibility
    assert not programs.run(ARM64)
