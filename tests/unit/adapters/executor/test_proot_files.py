"""The files that a step under PRoot can access on kernels with Landlock."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from img.adapters.executor.launch import Launch, LaunchMode
from img.adapters.executor.proot_files import confine_to_files
from img.adapters.linux import landlock
from img.domain.process import BindMount, DirectoryRoot, Process
from tests.unit.adapters.linux.forked import exit_code_of

pytestmark = pytest.mark.skipif(
    landlock.version() < 3, reason="no Landlock in this kernel, or it is not among its LSMs"
)


@pytest.fixture
def place() -> Iterator[Path]:
    """Make a directory that is not below /tmp, which PRoot needs."""
    made = Path(tempfile.mkdtemp(dir="/dev/shm", prefix="img-test-"))
    for name in ("root", "own", "shown", "writable", "outside"):
        (made / name).mkdir()
        (made / name / "file").write_text("x")
    yield made
    shutil.rmtree(made)


def test_a_step_reaches_its_root_and_what_is_mounted_in_it(place: Path) -> None:
    shown = BindMount(source=str(place / "shown"), target="/shown")
    writable = BindMount(source=str(place / "writable"), target="/w", read_only=False)
    process = Process(argv=("true",), env={}, mounts=(shown, writable))
    launch = Launch(process, DirectoryRoot(path=str(place / "root")), LaunchMode.PROOT, "/bin/true")

    def tries() -> int:
        confine_to_files(launch, str(place / "own"), "/tmp")
        for name in ("root", "own", "writable"):
            (place / name / "new").write_text((place / name / "file").read_text())
        assert (place / "shown" / "file").read_text() == "x"
        assert os.listdir("/proc/self")
        Path("/dev/null").write_text("x")
        refused = 0
        for attempt in (
            (place / "outside" / "file").read_text,
            (place / "outside" / "new").touch,
            (place / "shown" / "new").touch,
            lambda: os.listdir(place),
            Path("/etc/passwd").read_text,
        ):
            try:
                attempt()
            except PermissionError:
                refused += 1
        return refused

    assert exit_code_of(tries) == 5
