"""The programs that are compared, each with a state of its own that can be thrown away."""

import os
import pwd
import resource
import shutil
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_START_S = 60.0
_REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The cost of one build."""

    seconds: float
    cpu_seconds: float | None = None  # user and system; None: unknown, of a daemon
    peak_bytes: int | None = None  # of the largest process


class BuildFailed(Exception):
    """A builder that did not do it; the message has its last words."""


class Builder(ABC):
    """``with builder: …``; ``obstacle`` says why it cannot be measured here."""

    name: str
    remark: str = ""  # how it is run, for the reader of the table

    def obstacle(self) -> str | None:
        """Return why this builder cannot be measured here."""
        return None

    @abstractmethod
    def build(self, context: Path, *, cache: bool = True, target: str = "") -> Cost:
        """Build ``context``, up to ``target``, and return the cost. Raises BuildFailed."""

    def bake(self, context: Path, targets: Sequence[str]) -> Cost:
        """Build all ``targets``, one after the other, and return the cost. Raises BuildFailed."""
        return total([self.build(context, target=target) for target in targets])

    @abstractmethod
    def forget(self) -> None:
        """Be as new: no images, no cache."""

    def __enter__(self) -> "Builder":
        return self

    def __exit__(self, *_: object) -> None:
        self.forget()


class ImgBuilder(Builder):
    """Ours, by the Python that runs this, as root or as an ordinary user."""

    def __init__(
        self,
        work: Path,
        user: pwd.struct_passwd,
        *,
        backend: str = "auto",
        options: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._environment = environment or {}
        self.name = "img (user)" if user.pw_uid else "img (root)"
        self._options = options
        self.remark = f"{user.pw_name}, snapshots: {backend}"
        self._user = user
        self._backend = backend
        self._home = work / f"img-{user.pw_name}"
        self._bytecode = work / "bytecode"

    def build(self, context: Path, *, cache: bool = True, target: str = "") -> Cost:
        self.prepare()
        arguments = ["build", *self._places(), "-t", f"benchmark{target}", *_up_to(target)]
        arguments += [*self._options] if cache else [*self._options, "--no-cache"]
        return self.python("-m", "img", *arguments, str(context))

    def bake(self, context: Path, targets: Sequence[str]) -> Cost:
        self.prepare()
        directory = f"*.context={context}"
        allowed = f"--allow=fs.read={context}"
        arguments = ["bake", *self._places(), f"--file={context}/docker-bake.json", allowed]
        return self.python("-m", "img", *arguments, "--set", directory, *targets)

    def _places(self) -> list[str]:
        return [] if self._backend == "auto" else ["-b", self._backend]

    def python(self, *arguments: str) -> Cost:
        """Run a Python that finds img, as the user, and return the cost. Raises BuildFailed."""
        return timed(
            [sys.executable, *arguments],
            {
                "HOME": str(self._home),
                "IMG_STATE": f"{self._home}/state",
                "PYTHONPATH": str(_REPOSITORY),
                **self._compiled(),
                **self._environment,
            },
            self._user,
        )

    def forget(self) -> None:
        # Files of a user's builds belong to the user's subordinate ids.
        remove = (
            "import shutil, sys; from img.entrypoints.rootless import enter_for_state as enter; "
            "enter(); shutil.rmtree(sys.argv[1], ignore_errors=True)"
        )
        state = self._home / "state"
        if state.exists():
            self.python("-c", remove, str(state))

    def prepare(self) -> Path:
        """Make the files of the user, and return the home directory."""
        self._home.mkdir(exist_ok=True)
        self._bytecode.mkdir(exist_ok=True)
        if os.geteuid() == 0:
            self._bytecode.chmod(0o777)
            os.chown(self._home, self._user.pw_uid, self._user.pw_gid)
        return self._home

    def _compiled(self) -> Mapping[str, str]:
        """Return the environment in which Python keeps bytecode, as in an installation by pip."""
        if self._user.pw_uid == os.geteuid() and os.access(_REPOSITORY, os.W_OK):
            return {}  # beside the code
        return {"PYTHONPYCACHEPREFIX": str(self._bytecode)}


class BuildahBuilder(Builder):
    """Debian's buildah, as root, in the isolation that needs no runtime."""

    name = "buildah"

    def __init__(self, work: Path) -> None:
        self._work = work / "buildah"
        self._driver = "overlay" if _mounts_overlays(work) else "vfs"
        self.remark = f"root, --isolation chroot, --layers, {self._driver}"

    def obstacle(self) -> str | None:
        return lacking("buildah")

    def build(self, context: Path, *, cache: bool = True, target: str = "") -> Cost:
        command = [
            *self.command(),
            "build",
            "--isolation=chroot",
            "--network=host",
            "--tls-verify=false",
            "--layers",
            *([] if cache else ["--no-cache"]),
            *_up_to(target),
            f"--tag=benchmark{target}",
            str(context),
        ]
        return timed(command, {"HOME": str(self._work)})

    def forget(self) -> None:
        if self._work.exists():
            timed([*self.command(), "rmi", "--all", "--force"], {}, check=False)
            subprocess.run(["umount", "-q", self._work / "root/overlay"], check=False)
            shutil.rmtree(self._work, ignore_errors=True)

    def command(self) -> list[str]:
        """Return the common beginning of commands of buildah."""
        places = [f"--root={self._work}/root", f"--runroot={self._work}/run"]
        return ["buildah", *places, f"--storage-driver={self._driver}"]


class BuildKitBuilder(Builder):
    """BuildKit as it is in the docker daemon, which is started for this and has warmed up."""

    name = "BuildKit"
    remark = "root, dockerd, host network"

    def __init__(self, work: Path) -> None:
        self._work = work / "docker"
        self._socket = f"unix://{self._work}/socket"
        self._daemon: subprocess.Popen[bytes] | None = None

    def obstacle(self) -> str | None:
        return lacking("dockerd", "docker")

    def build(self, context: Path, *, cache: bool = True, target: str = "") -> Cost:
        command = ["build", "--network=host", *([] if cache else ["--no-cache"]), *_up_to(target)]
        cost = timed(
            [*self.client(), *command, f"--tag=benchmark{target}", str(context)],
            {"DOCKER_BUILDKIT": "1", "HOME": str(self._work)},
        )
        return Cost(seconds=cost.seconds)

    def forget(self) -> None:
        for command in (["image", "prune", "-af"], ["builder", "prune", "-af"]):
            timed([*self.client(), *command], {"HOME": str(self._work)}, check=False)

    def __enter__(self) -> "BuildKitBuilder":
        self._work.mkdir()
        places = [f"--{name}={self._work}/{name}" for name in ("data-root", "exec-root")]
        with (self._work / "log").open("wb") as log:
            self._daemon = subprocess.Popen(
                [
                    "dockerd",
                    "--iptables=false",
                    "--bridge=none",
                    *places,
                    f"--pidfile={self._work}/pid",
                    f"--host={self._socket}",
                ],
                stdout=log,
                stderr=log,
                env=_environment({}),
            )
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._daemon is not None:
            self._daemon.terminate()
            self._daemon.wait()
        for mount in _mounts_below(self._work):
            subprocess.run(["umount", "-q", mount], check=False)
        shutil.rmtree(self._work, ignore_errors=True)

    def client(self) -> list[str]:
        """Return the common beginning of commands of docker."""
        return [_docker() or "docker", f"--host={self._socket}"]

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            assert self._daemon is not None
            if self._daemon.poll() is not None:
                break
            try:
                timed([*self.client(), "version"], {})
                return
            except BuildFailed:
                time.sleep(0.2)
        said = (self._work / "log").read_text()[-500:]
        raise BuildFailed(f"dockerd does not start: {said}")


def total(costs: Sequence[Cost]) -> Cost:
    """Return the cost of several builds together."""
    cpu = [cost.cpu_seconds for cost in costs if cost.cpu_seconds is not None]
    return Cost(
        seconds=sum(cost.seconds for cost in costs),
        cpu_seconds=sum(cpu) if cpu else None,
        peak_bytes=max((cost.peak_bytes or 0 for cost in costs), default=0) or None,
    )


def _up_to(target: str) -> list[str]:
    return [f"--target={target}"] if target else []


def user_with_ids() -> pwd.struct_passwd | None:
    """Return the first unprivileged user who has subordinate ids."""
    ranges = Path("/etc/subuid")
    for line in ranges.read_text().splitlines() if ranges.exists() else ():
        try:
            user = pwd.getpwnam(line.partition(":")[0])
        except KeyError:
            continue
        if user.pw_uid:
            return user
    return None


def timed(
    command: Sequence[str],
    environment: Mapping[str, str],
    user: pwd.struct_passwd | None = None,
    *,
    check: bool = True,
) -> Cost:
    """Run ``command`` to its end and return its cost. Raises BuildFailed."""
    other = user is not None and user.pw_uid != os.geteuid()
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=_environment(environment),
        cwd="/",
        user=user.pw_uid if user is not None and other else None,
        group=user.pw_gid if user is not None and other else None,
        extra_groups=[] if other else None,
    )
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    if check and process.returncode:
        last = said.decode("utf-8", "replace")[-600:]
        raise BuildFailed(f"{' '.join(command)}: exit status {process.returncode}\n{last}")
    return _cost(seconds, usage)


def _cost(seconds: float, usage: resource.struct_rusage) -> Cost:
    return Cost(
        seconds=seconds,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_bytes=usage.ru_maxrss << 10,
    )


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    return {"PATH": _PATH, "LANG": "C.UTF-8", **more}


def lacking(*programs: str) -> str | None:
    if os.geteuid() != 0:
        return "needs root"
    missing = [name for name in programs if shutil.which(name, path=_PATH) is None]
    return f"{', '.join(missing)} not installed" if missing else None


def _docker() -> str | None:
    # The distribution's own before others: it matches its daemon.
    return "/usr/bin/docker" if os.path.exists("/usr/bin/docker") else shutil.which("docker")


def _mounts_overlays(work: Path) -> bool:
    if os.geteuid() != 0:
        return False
    probe = work / "overlay-probe"
    for name in ("lower", "upper", "work", "merged"):
        (probe / name).mkdir(parents=True)
    places = ",".join(f"{name}dir={probe}/{name}" for name in ("lower", "upper", "work"))
    command = ["mount", "-t", "overlay", "-o", places, "overlay", str(probe / "merged")]
    mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    if mounted:
        subprocess.run(["umount", probe / "merged"], check=False)
    shutil.rmtree(probe)
    return mounted


def _mounts_below(directory: Path) -> list[str]:
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    places = [line.split()[1] for line in mounts]
    return sorted((place for place in places if place.startswith(f"{directory}/")), reverse=True)
