"""Containers of podman: what shows that an image does what it is for."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.support.host.machine import program
from tests.support.host.peers import tool

_PATIENCE_S = 600.0  # some begin with hundreds of migrations


class Podman:
    """podman with a store of its own; containers have loopback and nothing else."""

    def __init__(self, place: Path) -> None:  # a short name: it has sockets
        self._store = place / "s"
        self._places = (
            "--root", self._store, "--runroot", place / "r", "--tmpdir", place / "t",
            "--storage-driver", "overlay", "--cgroup-manager", "cgroupfs",
            "--events-backend", "none", "--runtime", "runc",
        )  # fmt: skip

    def __call__(self, *arguments: str | Path) -> str:
        """Return its output; it must succeed."""
        return tool("podman", *self._places, *arguments)

    def run(self, *arguments: str) -> str:
        """Return the standard output of a container."""
        return self("run", "--rm", *_LIMITS, *arguments)

    @contextmanager
    def started(self, *arguments: str) -> Iterator[str]:
        """Start a container and yield its ID."""
        container = self("run", "--detach", *_LIMITS, *arguments).strip()
        try:
            yield container
        finally:
            self("rm", "--force", "--time", "1", "--volumes", container)

    def wait_for(self, expected: str, container: str, *command: str | Path) -> None:
        """Run ``command`` until it prints ``expected``. Raises AssertionError with the logs."""
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            done = subprocess.run(command, capture_output=True, check=False)
            said = (done.stdout + done.stderr).decode(errors="replace")
            if expected in done.stdout.decode(errors="replace"):
                return
            if time.monotonic() > deadline:
                logs = subprocess.run(
                    [program("podman"), *self._places, "logs", container],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    check=False,
                ).stdout.decode(errors="replace")
                raise AssertionError(f"no {expected!r} from {command}: {said}\n{logs[-2000:]}")
            time.sleep(0.3)

    def close(self) -> None:
        """Leave nothing mounted."""
        command = ("umount", "--lazy", str(self._store / "overlay"))
        subprocess.run(command, check=False, capture_output=True)

    def words(self) -> tuple[str | Path, ...]:
        """Return the common beginning of its commands."""
        return (program("podman"), *self._places)


_LIMITS = (
    "--network=none", "--cgroups=no-conmon", "--ulimit=nofile=1024:1024",
    "--ulimit=nproc=4096:4096",
)  # fmt: skip


class Check(Protocol):
    """Something that an image has to show."""

    def __call__(self, podman: Podman, image: str) -> None:
        """Raise AssertionError if it does not."""

    @property
    def caption(self) -> str:
        """Return what was seen."""


@dataclass(frozen=True, slots=True)
class Prints:
    """A container prints ``expected``."""

    expected: str
    command: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    def __call__(self, podman: Podman, image: str) -> None:
        said = podman.run(*self.options, image, *self.command)
        assert self.expected in said, f"no {self.expected!r} in {said[-1000:]!r}"

    @property
    def caption(self) -> str:
        return f"prints `{self.expected}`"


@dataclass(frozen=True, slots=True)
class Serves:
    """A container answers ``GET path`` with 200 and ``expected``."""

    port: int
    expected: str
    path: str = "/"
    options: tuple[str, ...] = ()

    def __call__(self, podman: Podman, image: str) -> None:
        with podman.started(*self.options, image) as container:
            pid = podman("inspect", "--format", "{{.State.Pid}}", container).strip()
            url = f"http://127.0.0.1:{self.port}{self.path}"
            get = (program("curl"), "--fail", "--silent", "--show-error", "--location", url)
            podman.wait_for(
                self.expected, container, program("nsenter"), f"--net=/proc/{pid}/ns/net", *get
            )

    @property
    def caption(self) -> str:
        return f"GET {self.path}: 200, `{self.expected}`"


@dataclass(frozen=True, slots=True)
class Answers:
    """A program in a running container prints ``expected``, sooner or later."""

    command: tuple[str, ...]
    expected: str
    options: tuple[str, ...] = ()

    def __call__(self, podman: Podman, image: str) -> None:
        with podman.started(*self.options, image) as container:
            podman.wait_for(
                self.expected, container, *podman.words(), "exec", container, *self.command
            )

    @property
    def caption(self) -> str:
        return f"`{self.command[0]}` answers `{self.expected}`"
