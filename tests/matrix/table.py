"""The matrix of docs/matrix.md: environments, executors, Dockerfiles and results."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

DOCKERFILES = Path(__file__).with_name("dockerfiles")


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The users, and their environments."""

    name: str
    title: str
    who: str
    file_system: str = "tmpfs"
    fuse: bool | None = None  # whether there is a /dev/fuse; None: as on this machine
    options: tuple[str, ...] = ()  # of `docker run`
    state: str = "/tmp/state"  # in a container
    remapped: bool = False  # the container has a user namespace

    @property
    def in_docker(self) -> bool:
        """True for a container of Docker."""
        return self.who.startswith("docker-")


@dataclass(frozen=True, slots=True)
class Fails:
    """A Dockerfile that does not build there; ``text`` is shown."""

    text: str
    why: str


@dataclass(frozen=True, slots=True)
class Differs:
    """A Dockerfile with other layers in one environment."""

    why: str


@dataclass(frozen=True, slots=True)
class MayDiffer:
    """A Dockerfile with other layers or a failure, by the version of a program."""

    why: str


Exceptions = Mapping[str, Fails | Differs | MayDiffer]  # by case


@dataclass(frozen=True, slots=True, kw_only=True)
class Builds:
    """A cell that builds every Dockerfile as root does on overlays, but for the exceptions."""

    environment: str
    executor: str
    snapshotter: str
    announced: str = ""  # the executor that the build announces; "": the requested one
    exceptions: Exceptions = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuses:
    """A cell that can run nothing, and says so."""

    environment: str
    executor: str
    snapshotter: str
    error: str


def cases() -> Mapping[str, str]:
    """Return the Dockerfiles, "FILE" or "FILE:STAGE", with their descriptions."""
    found = {}
    for path in sorted(DOCKERFILES.glob("*.Dockerfile")):
        lines = path.read_text(encoding="utf-8").splitlines()
        name = path.name.removesuffix(".Dockerfile")
        captions = [line.removeprefix("# ") for line in lines if line.startswith("# ")]
        if len(captions) == 1:
            found[name] = captions[0]
            continue
        for caption in captions:
            stage, _, text = caption.partition(": ")
            found[f"{name}:{stage}"] = text
    return found
