"""Processes and root file systems for executors."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from enum import Enum

from img.domain.dataclass import dataclass
from img.domain.errors import BuildError

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class ImpossibleText(BuildError):
    """A text that the kernel refuses as an argument, variable or path."""

    def __init__(self, what: str, text: str) -> None:
        super().__init__(f"the step cannot start: its {what} {text[:200]!a} holds a NUL character")


class Network(Enum):
    """The network of a process (Dockerfile reference, "RUN --network")."""

    HOST = "host"
    NONE = "none"
    PRIVATE = "private"  # a network namespace with access to the outside


@dataclass(frozen=True, slots=True, kw_only=True)
class BindMount:
    """A file or directory of the host, mounted at ``target``."""

    source: str  # absolute, on the host
    target: str  # absolute, in the root
    read_only: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A directory or file of the host that the user gives to all RUN of a build."""

    source: str  # absolute, on the host, without links
    target: str  # absolute, in the root
    read_only: bool
    # Its inode decides: the path may lead through another volume, where a step may replace a part.
    device: int
    inode: int
    state: str = ""  # a digest of the state of its files; "" if results must not be cached


@dataclass(frozen=True, slots=True, kw_only=True)
class TmpfsMount:
    """An empty file system in memory at ``target``."""

    target: str
    size: int = 0  # bytes; 0 leaves the kernel's default
    mode: int = 0o1777


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMount:
    """A file at ``target`` with bytes that must not be written to a disk (secrets)."""

    target: str
    content: bytes = field(repr=False)
    mode: int = 0o400
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryRoot:
    """A root file system in a directory; processes write to it in place."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlayRoot:
    """A root file system that the executor mounts as a kernel overlay, inside its own namespace."""

    lowers: tuple[str, ...]  # topmost first
    upper: str
    work: str  # new for every mount: "volatile" refuses a used one
    target: str  # an empty directory to mount on
    # Mount with "index=on": hard links survive a write. Not possible in a user namespace.
    index: bool = False


Root = DirectoryRoot | OverlayRoot


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeMount:
    """A file or directory of another root file system, mounted at ``target``.

    Writes go to that root, which its owner deletes afterwards.
    """

    root: Root
    source: str  # absolute, in that root; links are followed inside of it
    target: str
    read_only: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolver:
    """Lines of /etc/resolv.conf that replace those of the host (resolv.conf(5)).

    An empty tuple leaves the host's lines.
    """

    servers: tuple[str, ...] = ()  # addresses
    domains: tuple[str, ...] | None = None  # to search; None leaves the host's, () is no search
    options: tuple[str, ...] = ()

    def content(self, host: bytes, own_server: bytes = b"") -> bytes:
        """Return the file of a step for the content of the host's.

        ``own_server`` is the name server of a network in which the host's are out of reach. The
        other lines of the host stay, so that a name means the same in every network.
        """
        new = [b"nameserver " + each.encode() for each in self.servers]
        new = new or ([b"nameserver " + own_server] if own_server else [])
        replaced = {b"nameserver"} if new else set()
        if self.domains is not None:
            replaced |= {b"search", b"domain"}
            new += [b"search " + " ".join(self.domains).encode()] if self.domains else []
        if self.options:
            replaced |= {b"options"}
            new += [b"options " + " ".join(self.options).encode()]
        return host if not replaced else _joined(new, host, replaced)


ProcessMount = BindMount | Volume | TmpfsMount | FileMount | TreeMount


@dataclass(frozen=True, slots=True, kw_only=True)
class Ulimit:
    """A resource limit, by its name in setrlimit(2) in lower case (``nofile``); -1: none.

    Other negative numbers count from 2**64 down.
    """

    name: str
    soft: int
    hard: int


@dataclass(frozen=True, slots=True)
class TerminalSize:
    """The size of a terminal in characters."""

    rows: int = 24
    columns: int = 80

    def __post_init__(self) -> None:
        if not (0 <= self.rows < 1 << 16 and 0 <= self.columns < 1 << 16):  # ioctl_tty(2)
            raise ValueError(f"no size of a terminal: {self.rows} x {self.columns}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One command in one root file system: the process of a step.

    None of its texts holds a NUL. Raises ImpossibleText.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str = "/"  # absolute; created with mode 0755 and owner root if it is missing
    user: str = ""  # USER's text: user[:group], names or numbers; "" is root
    network: Network = Network.HOST
    mounts: tuple[ProcessMount, ...] = ()
    hostname: str = "buildkitsandbox"
    hosts: tuple[tuple[str, str], ...] = ()  # (name, address), into /etc/hosts
    resolver: Resolver = Resolver()
    shm_size: int = 64 << 20  # bytes
    ulimits: tuple[Ulimit, ...] = ()
    control_groups: tuple[str, ...] = ()  # control group directories that it starts in
    insecure: bool = False
    userns: bool = False  # it may create user namespaces, and others inside of them
    terminal: TerminalSize | None = None  # of a new pseudo-terminal, its standard streams

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

    @property
    def mounts_outer_first(self) -> tuple[ProcessMount, ...]:
        """The mounts in an order in which none covers another: a directory before its contents."""
        return tuple(sorted(self.mounts, key=lambda mount: mount.target))

    def environment(self, home: str) -> dict[str, str]:
        """Return its variables, with PATH set, and HOME, by default ``home``.

        An empty HOME is treated as unset, as in runc.
        """
        env = {"PATH": DEFAULT_PATH} | dict(self.env)
        return env | {"HOME": env.get("HOME") or home}


@dataclass(frozen=True, slots=True)
class ExitStatus:
    """The exit status of a process: its exit code, or 128 + the signal that killed it."""

    code: int
    out_of_memory: bool = False  # killed for exceeding a memory limit

    @property
    def success(self) -> bool:
        """True for exit code 0."""
        return self.code == 0


def _joined(new: Sequence[bytes], host: bytes, replaced: set[bytes]) -> bytes:
    kept = [line for line in host.splitlines() if not set(line.split()[:1]) & replaced]
    return b"".join(line + b"\n" for line in (*new, *kept))
