"""What an executor is asked to run, and in which root."""

from collections.abc import Mapping
from dataclasses import field
from enum import Enum

from img.domain.dataclass import dataclass
from img.domain.errors import BuildError

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class ImpossibleText(BuildError):
    """A text that the kernel takes for no argument, variable or path of a program."""

    def __init__(self, what: str, text: str) -> None:
        super().__init__(f"the step cannot start: its {what} {text[:200]!a} holds a NUL character")


class Network(Enum):
    """Which network a process sees (Dockerfile reference, "RUN --network")."""

    HOST = "host"
    NONE = "none"
    PRIVATE = "private"  # one of its own, from which the world can be reached


@dataclass(frozen=True, slots=True, kw_only=True)
class BindMount:
    """A file or directory of the host, seen at ``target``."""

    source: str  # absolute, on the host
    target: str  # absolute, in the root
    read_only: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TmpfsMount:
    """An empty file system in memory at ``target``."""

    target: str
    size: int = 0  # bytes; 0 leaves the kernel's default
    mode: int = 0o1777


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMount:
    """A file made of bytes that must not touch a disk (secrets), at ``target``."""

    target: str
    content: bytes = field(repr=False)
    mode: int = 0o400
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryRoot:
    """A root file system that is a plain directory; written in place."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlayRoot:
    """A root file system that the executor mounts as a kernel overlay, inside its own namespace."""

    lowers: tuple[str, ...]  # topmost first
    upper: str
    work: str  # fresh for every mount: "volatile" refuses one that was used
    target: str  # an empty directory to mount on
    # Mount with "index=on": hard links survive a write. The kernel has none in a user namespace.
    index: bool = False


Root = DirectoryRoot | OverlayRoot


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeMount:
    """A file or directory of another root file system, at ``target``.

    What is written to it goes to that root, which its owner throws away afterwards.
    """

    root: Root
    source: str  # absolute, in that root; links are followed inside it
    target: str
    read_only: bool = True


ProcessMount = BindMount | TmpfsMount | FileMount | TreeMount


@dataclass(frozen=True, slots=True, kw_only=True)
class Ulimit:
    """A resource limit by its setrlimit(2) name in lower case, such as ``nofile``; -1: none."""

    name: str
    soft: int
    hard: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One command in one root file system; what a step of a build runs.

    None of its texts holds a NUL. Raises ImpossibleText.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str = "/"  # absolute; made, 0755 and root's, when missing
    user: str = ""  # USER's text: user[:group], names or numbers; "" is root
    network: Network = Network.HOST
    mounts: tuple[ProcessMount, ...] = ()
    hostname: str = "buildkitsandbox"
    hosts: tuple[tuple[str, str], ...] = ()  # (name, address), into /etc/hosts
    shm_size: int = 64 << 20  # bytes
    ulimits: tuple[Ulimit, ...] = ()
    control_groups: tuple[str, ...] = ()  # directories of those that it is in from the start
    insecure: bool = False
    userns: bool = False  # it may make user namespaces, and others within them

    def __post_init__(self) -> None:
        for what, texts in (
            ("argument", self.argv),
            ("variable", (f"{name}={value}" for name, value in self.env.items())),
            ("working directory", (self.cwd,)),
            ("user", (self.user,)),
            ("mount", (mount.target for mount in self.mounts)),
        ):
            for text in texts:
                if "\0" in text:
                    raise ImpossibleText(what, text)

    def environment(self, home: str) -> dict[str, str]:
        """Return its variables: PATH is set, and HOME, which is ``home`` unless ``env`` says more.

        An empty HOME counts as none, as it does for runc.
        """
        env = {"PATH": DEFAULT_PATH} | dict(self.env)
        return env | {"HOME": env.get("HOME") or home}


@dataclass(frozen=True, slots=True)
class ExitStatus:
    """How a process ended: its exit code, or 128 + the signal that killed it."""

    code: int
    out_of_memory: bool = False  # it, or what it started, was killed for using more than allowed

    @property
    def success(self) -> bool:
        return self.code == 0
