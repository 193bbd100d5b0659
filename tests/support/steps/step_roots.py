"""Roots for steps to run in: busybox and next to nothing else, on a file system in memory."""

import os
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import uuid4

import pytest

from img.adapters.linux import userns
from img.application.ports.executor import Cancellation, Executor
from img.domain.process import DirectoryRoot, ExitStatus, OverlayRoot, Process, Root

BUSYBOX = shutil.which("busybox")
MEMORY = "/dev/shm"
LONG_AGO = 1_500_000_000  # seconds
PASSWD = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n"
GROUP = "root:x:0:\napp:x:1001:\naudio:x:29:app\n"


def skip_unless_steps_can_run() -> None:
    """Skip the test with the reason."""
    if BUSYBOX is None:
        pytest.skip("no busybox (install busybox-static)")
    if not userns.may_mount(userns.real_user()):
        pytest.skip("needs root; test_userns.py runs these tests for a plain user")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRoot:
    """A root, and what a step left in it."""

    root: Root
    changed: Path  # where what was written is found
    whole: tuple[Path, ...]  # where the root's files are, uppermost first

    def fresh(self) -> Root:
        """Return the root as it can be mounted, once more or for the first time."""
        if isinstance(self.root, DirectoryRoot):
            return self.root
        work = tempfile.mkdtemp(dir=os.path.dirname(self.root.work), prefix="work-")
        return replace(self.root, work=work)

    def write(self, name: str, text: str, mode: int = 0o644) -> None:
        """Put a file into the image, below everything."""
        path = self.whole[-1] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)

    def link(self, name: str, text: str) -> None:
        """Put a symbolic link into the image, below everything."""
        path = self.whole[-1] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(text)

    def age(self) -> None:
        """Make every directory of the root look old."""
        for layer in self.whole:
            for directory, _, _ in os.walk(layer, topdown=False):
                os.utime(directory, (LONG_AGO, LONG_AGO))

    def listing(self) -> dict[str, tuple[int, int, int, int]]:
        """Return (mode, uid, gid, mtime in ns) of all that is where changes are found."""
        found = {}
        for directory, _, files in os.walk(self.changed):
            for name in (directory, *(os.path.join(directory, file) for file in files)):
                seen = os.lstat(name)
                relative = os.path.relpath(name, self.changed)
                found[relative] = (seen.st_mode, seen.st_uid, seen.st_gid, seen.st_mtime_ns)
        return found


@contextmanager
def step_root(kind: str) -> Iterator[StepRoot]:
    """Make a root of busybox, as a "directory" or an "overlay", and remove it."""
    base = Path(tempfile.mkdtemp(dir=MEMORY, prefix="img-step-"))
    try:
        image = base / "image"
        (image / "bin").mkdir(parents=True)
        _install_busybox(image / "bin")
        if kind == "directory":
            yield StepRoot(root=DirectoryRoot(path=str(image)), changed=image, whole=(image,))
        else:
            yield _overlay(base, image)
    finally:
        shutil.rmtree(base)


def _overlay(base: Path, image: Path) -> StepRoot:
    for name in ("above", "upper", "work", "target"):
        (base / name).mkdir()
    root = OverlayRoot(
        lowers=(str(base / "above"), str(image)),
        upper=str(base / "upper"),
        work=str(base / "work"),
        target=str(base / "target"),
    )
    return StepRoot(root=root, changed=base / "upper", whole=(base / "upper", image))


def _install_busybox(directory: Path) -> None:
    if BUSYBOX:
        shutil.copy(BUSYBOX, directory / "busybox")
    for name in ("sh", "cat", "echo", "id", "ls", "sleep", "true", "mount", "umount", "mknod"):
        (directory / name).symlink_to("busybox")


@dataclass(slots=True)
class Steps:
    """Runs commands in one root and remembers what they wrote."""

    executor: Executor
    root: StepRoot
    chunks: list[tuple[int, bytes]] = field(default_factory=list)

    def run(
        self,
        argv: Sequence[str],
        *,
        process: Process | None = None,
        cancelled: Cancellation | None = None,
    ) -> ExitStatus:
        """Run ``argv``, the rest as in ``process``."""
        base = process or Process(argv=(), env={})
        self.chunks.clear()
        return self.executor.run(
            replace(base, argv=tuple(argv)),
            self.root.fresh(),
            lambda stream, data: self.chunks.append((stream, data)),
            cancelled or threading.Event(),
        )

    def sh(self, script: str, process: Process | None = None) -> str:
        """Return the standard output of a script, which must succeed."""
        status = self.run(["/bin/sh", "-c", script], process=process)
        assert status.success, (status, self.stdout, self.stderr)
        return self.stdout

    @property
    def stdout(self) -> str:
        return self._text(1)

    @property
    def stderr(self) -> str:
        return self._text(2)

    def _text(self, wanted: int) -> str:
        return b"".join(data for stream, data in self.chunks if stream == wanted).decode()


def lasting() -> str:
    """Return a command that lasts and that no other test runs: tests look for it by name."""
    return f"sleep 1000.{uuid4().int % 10**9}"


def in_env(**more: object) -> Process:
    """Return a process with some fields set and an empty environment."""
    return replace(Process(argv=(), env={}), **more)  # type: ignore[arg-type]
