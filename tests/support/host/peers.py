"""Other tools for images, each with a state of its own below one directory."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.host.machine import program

_PATIENCE_S = 60.0


def tool(
    name: str, *arguments: str | Path, stdin: bytes | None = None, cwd: Path | None = None
) -> str:
    """Return the standard output of a tool, which must succeed."""
    done = subprocess.run(
        [program(name), *arguments],
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        check=False,
        cwd=cwd,
    )
    said = done.stderr.decode(errors="replace")
    assert done.returncode == 0, f"{name} {arguments}: {done.returncode}: {said}"
    return done.stdout.decode()


def podman(place: Path, *arguments: str | Path, stdin: bytes | None = None) -> str:
    """Run podman, which needs neither cgroups nor privileges beyond those of a plain root."""
    options: list[str | Path] = [
        "--root", place / "podman", "--runroot", place / "r",  # 50 letters at most
        "--tmpdir", place / "t", "--storage-driver", "vfs",
        "--cgroup-manager", "cgroupfs", "--events-backend", "none", "--runtime", "runc",
    ]  # fmt: skip
    program("runc")
    return tool("podman", *options, *arguments, stdin=stdin)


def podman_run(place: Path, image: str, *command: str) -> str:
    """Return the standard output of a container."""
    limits = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")
    where = ("--network", "host", "--cgroups", "no-conmon", *limits)
    return podman(place, "run", "--rm", *where, image, *command)


def runc_run(place: Path, layout: Path, reference: str) -> str:
    """Unpack an image of a layout by umoci, and return what its command prints under runc."""
    bundle = place / "bundle"
    tool("umoci", "unpack", "--image", f"{layout}:{reference}", bundle)
    config = json.loads((bundle / "config.json").read_text())
    config["process"]["terminal"] = False
    config["process"].pop("rlimits", None)
    (bundle / "config.json").write_text(json.dumps(config))
    return tool("runc", "--root", place / "runc", "run", "-b", bundle, place.name)


class Docker:
    """A client of a docker daemon."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def __call__(self, *arguments: str | Path, stdin: bytes | None = None) -> str:
        return tool("docker", "-H", f"unix://{self._socket}", *arguments, stdin=stdin)


@contextmanager
def docker_daemon(place: Path) -> Iterator[Docker]:
    """Run a docker daemon that touches neither the network nor the machine's own one."""
    log = place / "dockerd.log"
    socket = place / "docker.sock"
    options: list[str | Path] = [
        "--iptables=false", "--bridge=none", "--data-root", place / "docker",
        "--exec-root", place / "docker-run", "-p", place / "docker.pid", "-H", f"unix://{socket}",
    ]  # fmt: skip
    with log.open("wb") as output:
        daemon = subprocess.Popen(
            [program("dockerd"), *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        _wait_for(daemon, socket, log)
        yield Docker(socket)
    finally:
        daemon.terminate()
        daemon.wait(_PATIENCE_S)
        for mount in sorted((place / "docker-run").rglob("netns/*")):
            subprocess.run(["umount", "-l", mount], check=False, capture_output=True)


def _wait_for(daemon: "subprocess.Popen[bytes]", socket: Path, log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline and daemon.poll() is None:
        answer = subprocess.run(
            [program("docker"), "-H", f"unix://{socket}", "version"],
            capture_output=True,
            check=False,
        )
        if answer.returncode == 0:
            return
        time.sleep(0.1)
    raise AssertionError(f"dockerd does not start: {log.read_text()[-2000:]}")
