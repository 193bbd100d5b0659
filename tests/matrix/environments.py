"""Real environments and users for the driver of the matrix."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.matrix.table import DOCKERFILES, Environment
from tests.support.host.docker_daemon import DockerDaemon
from tests.support.host.machine import REPOSITORY, Account, program

Json = Any  # what goes to the driver and comes from it

_EPOCH = "1700000000"
_NAMELESS = 64996  # a user without a name and ids
_PLAIN = 1234  # the user in a container of Docker
_TIMEOUT_S = 300.0

# A /dev of its own, in a mount namespace.
_DEV = """\
mkdir "$PLACE/dev"; mount -t tmpfs none "$PLACE/dev"
for name in null zero full random urandom tty; do
  touch "$PLACE/dev/$name"; mount --bind "/dev/$name" "$PLACE/dev/$name"
done
for name in shm pts; do
  mkdir "$PLACE/dev/$name"; mount --rbind "/dev/$name" "$PLACE/dev/$name"
done
ln -s /proc/self/fd "$PLACE/dev/fd"
if test "$FUSE" = yes; then mknod -m 666 "$PLACE/dev/fuse" c 10 229; fi
mount --rbind "$PLACE/dev" /dev
"""
_FILE_SYSTEMS = {
    "tmpfs": "",
    "ext4": 'truncate -s 2G "$PLACE/disk"; mkfs.ext4 -q "$PLACE/disk"\n'
    'mount -o loop "$PLACE/disk" "$PLACE/state"\n',
    "overlay": 'mkdir "$PLACE/lower" "$PLACE/upper" "$PLACE/work"\n'
    'mount -t overlay -o "lowerdir=$PLACE/lower,upperdir=$PLACE/upper,workdir=$PLACE/work" '
    'none "$PLACE/state"\n',
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """The inputs: base images, a context, and root's images of them (None: not yet)."""

    place: Path
    reference: Json = None

    def order(self, executor: str, snapshotter: str, cases: Sequence[str]) -> Json:
        """Return the order for a driver."""
        images = self.reference or {}
        return {
            "executor": executor,
            "snapshotter": snapshotter,
            "cases": list(cases),
            "context": str(self.place / "context"),
            "dockerfiles": str(DOCKERFILES),
            "bases": {name: str(self.place / name) for name in ("busybox", "debian")},
            "expected": {case: image["digest"] for case, image in images.items()},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """The report of the driver, and the output of the builds."""

    outcome: Json
    shown: str

    @classmethod
    def of(cls, done: "subprocess.CompletedProcess[str]") -> "Ran":
        assert done.returncode == 0, done.stderr[-3000:]
        return cls(outcome=json.loads(done.stdout), shown=done.stderr)

    @property
    def announced(self) -> str:
        """The announced executor; "" if there was no step to run."""
        lines = (line.partition("[internal] ")[2] for line in self.shown.splitlines())
        return next((line for line in lines if line.startswith("executor ")), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """This machine."""

    user: Account  # with subordinate ids

    def run(self, environment: Environment, place: Path, order: Json) -> Ran:
        """Run the driver as the environment says, the state in the empty directory ``place``."""
        state = place / "state"
        state.mkdir()
        file = place / "order.json"
        file.write_text(json.dumps(order | {"state": str(state)}))
        dev = _DEV if environment.fuse is not None else ""
        script = (
            f'set -e\n{_FILE_SYSTEMS[environment.file_system]}{dev}chown "$OWNER" "$PLACE/state"\n'
        )
        done = subprocess.run(
            [
                *(program("unshare"), "--mount", "sh", "-c", f'{script}exec "$@"\n', "sh"),
                *self._identity(environment.who),
                *(sys.executable, "-m", "tests.matrix.driver", str(file)),
            ],
            cwd=REPOSITORY,
            env={
                "PATH": os.environ["PATH"],
                "PLACE": str(place),
                "OWNER": self._owner(environment.who),
                "FUSE": "yes" if environment.fuse else "no",
                "HOME": str(state),
                "SOURCE_DATE_EPOCH": _EPOCH,
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_S,
        )
        return Ran.of(done)

    def _owner(self, who: str) -> str:
        match who:
            case "root":
                return "0:0"
            case "user" | "no-new-privileges":
                return f"{self.user.uid}:{self.user.gid}"
            case _:
                return f"{_NAMELESS}:{_NAMELESS}"

    def _identity(self, who: str) -> list[str]:
        become = [program("setpriv"), f"--reuid={self.user.uid}", f"--regid={self.user.gid}"]
        match who:
            case "root":
                return []
            case "user":
                return [*become, "--init-groups"]
            case "no-new-privileges":
                return [*become, "--init-groups", "--no-new-privs"]
            case _:
                nobody = [f"--reuid={_NAMELESS}", f"--regid={_NAMELESS}", "--clear-groups"]
                return [program("setpriv"), *nobody]


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """Containers of Docker with its defaults but for the network and the environment's options."""

    daemon: DockerDaemon
    shown: Path  # to see inside, where it is outside

    def run(self, environment: Environment, place: Path, order: Json) -> Ran:
        """Run the driver in a new container, the state in its root file system."""
        file = place / "order.json"
        file.write_text(json.dumps(order | {"state": environment.state}))
        user = [] if environment.who == "docker-root" else [f"--user={_PLAIN}:{_PLAIN}"]
        shown = [f"--volume={path}:{path}:ro" for path in (self.shown, place)]
        env = [f"--env=SOURCE_DATE_EPOCH={_EPOCH}", "--env=HOME=/tmp"]
        script = f"cd {REPOSITORY} && exec {sys.executable} -m tests.matrix.driver {file}"
        options = (*user, *shown, *env, *environment.options)
        return Ran.of(self.daemon.run(script, *options, timeout_s=_TIMEOUT_S))
