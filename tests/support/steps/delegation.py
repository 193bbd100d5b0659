"""Control groups for tests: one that is given to a user, and what is left in it."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from img.adapters.linux.hierarchies import Hierarchy, hierarchies_of
from tests.support.host.machine import Account, lacking, need_root
from tests.support.host.waiting import wait_until

_GIVEN = ("cgroup.procs", "cgroup.subtree_control", "tasks")  # what systemd hands over with it
_PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegated:
    """A group in the hierarchy that counts memory."""

    directory: Path
    unified: bool

    def entering(self, account: Account, command: tuple[Path | str, ...]) -> tuple[str, ...]:
        """Return a command of root that runs ``command`` in it as ``account``."""
        script = f'echo 0 > {self.directory}/cgroup.procs && exec setpriv "$@"'
        identity = (f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups")
        return ("/bin/sh", "-c", script, "sh", *identity, *map(str, command))

    def groups(self) -> list[str]:
        """Return the groups of steps that are in it."""
        return sorted(path.name for path in self.directory.glob("img-*"))


def hierarchy_of(controller: str) -> Hierarchy:
    """Return the hierarchy that has ``controller``, or end the test."""
    need_root()
    for hierarchy in hierarchies_of("/proc/self"):
        if controller in hierarchy.controllers and os.access(hierarchy.top, os.W_OK):
            return hierarchy
    return lacking(f"no control groups of {controller} that may be written")


@contextmanager
def delegated_to(account: Account) -> Iterator[Delegated]:
    """Make a group that counts memory, give it to ``account``, and remove it."""
    hierarchy = hierarchy_of("memory")
    with a_group(hierarchy, "memory") as directory:
        for path in (directory, *(directory / name for name in _GIVEN)):
            if path.exists():
                os.chown(path, account.uid, account.gid)
        yield Delegated(directory=directory, unified=hierarchy.unified)


@contextmanager
def a_group(hierarchy: Hierarchy, controller: str) -> Iterator[Path]:
    """Make a group at the top of ``hierarchy`` that has ``controller``, and remove it."""
    top = Path(hierarchy.top)
    through = top / "cgroup.subtree_control"
    changed = hierarchy.unified and controller not in through.read_text().split()
    if changed:
        through.write_text(f"+{controller}")
    directory = top / f"test-{os.getpid()}-{time.monotonic_ns()}"
    directory.mkdir()
    try:
        yield directory
    finally:
        _remove(directory)
        if changed:
            with suppress(OSError):  # another test may need it now
                through.write_text(f"-{controller}")


def _remove(directory: Path) -> None:
    for path in (*(child for child in directory.iterdir() if child.is_dir()), directory):
        wait_until(partial(_is_removed, path), f"{path} is removed", patience_s=_PATIENCE_S)


def _is_removed(path: Path) -> bool:
    with suppress(OSError):  # the group's last process is not reaped yet
        path.rmdir()
    return not path.exists()


def sleeper_in(directory: Path) -> "subprocess.Popen[bytes]":
    """Start a process in a group; the caller kills it."""
    script = f"echo 0 > {directory}/cgroup.procs && echo in && exec sleep 60"
    process = subprocess.Popen(["/bin/sh", "-c", script], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"in\n"
    return process
