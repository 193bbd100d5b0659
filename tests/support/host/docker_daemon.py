"""A real daemon of Docker, for tests of what happens in a default container."""

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.support.host.machine import REPOSITORY, lacking, program


class DockerDaemon:
    """A daemon of its own, and an image that has nothing but the places for mounts.

    With ``remap``, a user with subordinate ids, each container has a user namespace.
    """

    def __init__(self, base: Path, *, remap: str = "") -> None:
        self.address = f"unix://{base}/socket"
        self._client = [program("docker"), "-H", self.address]
        options = [f"--{name}={base}/{name}" for name in ("data-root", "exec-root", "pidfile")]
        options += [f"--host=unix://{base}/socket"]
        options += [f"--userns-remap={remap}"] if remap else []
        with open(base / "log", "wb") as log:
            self._daemon = subprocess.Popen(
                # No other process gets its mounts, and could hold them after its end.
                [
                    *(program("unshare"), "--mount", "--propagation", "slave"),
                    *(program("dockerd"), *options, "--iptables=false", "--bridge=none"),
                ],
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 30
        while subprocess.run([*self._client, "info"], capture_output=True, check=False).returncode:
            if self._daemon.poll() is not None or time.monotonic() > deadline:
                self.close()
                lacking(f"dockerd does not start: {(base / 'log').read_text()[-300:]}")
            time.sleep(0.2)
        root = base / "root"
        for name in ("etc", "tmp", "root", "work", "proc", "sys", "dev", "context", "usr"):
            (root / name).mkdir(parents=True)
        for name in ("bin", "lib", "lib64", "sbin"):
            (root / name).symlink_to(f"usr/{name}")
        (root / "tmp").chmod(0o1777)
        packed = subprocess.run(["tar", "-C", root, "-c", "."], capture_output=True, check=True)
        subprocess.run([*self._client, "import", "-", "base"], input=packed.stdout, check=True)

    def client(self, *arguments: str | Path) -> str:
        """Run a command of ``docker`` and return its standard output; it must succeed."""
        command = [*self._client, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def run(
        self, script: str, *options: str, timeout_s: float = 120
    ) -> "subprocess.CompletedProcess[str]":
        """Run a script in a new container that sees our Python and img, read-only."""
        places = (sys.prefix, *(path for path in sys.path if os.path.isdir(path)))
        shown = {"/usr", str(REPOSITORY), *(p for p in places if not p.startswith("/usr"))}
        volumes = [f"--volume={path}:{path}:ro" for path in sorted(shown)]
        limits = ["--rm", "--network=none", "--env=PYTHONDONTWRITEBYTECODE=1"]
        return subprocess.run(
            [*self._client, "run", *limits, *volumes, *options, "base", "sh", "-c", script],
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
        )

    def close(self) -> None:
        """End the daemon."""
        self._daemon.terminate()
        self._daemon.wait(30)
