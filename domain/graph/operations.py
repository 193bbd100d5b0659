"""The closed set of things a build does."""

from dataclasses import dataclass

from img.domain.digest import Digest
from img.domain.platform import Platform
from img.domain.process import Network, Ulimit


@dataclass(frozen=True, slots=True, kw_only=True)
class Scratch:
    """Nothing: the root that FROM scratch starts from. No inputs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullBase:
    """The layers of an image. No inputs."""

    reference: str  # the full name, for messages and for finding the registry
    manifest: Digest  # the manifest of the one platform, so never an index
    platform: Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadContext:
    """The files of a build context: the main one, or a named one. No inputs."""

    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InlineFile:
    """A file whose text stands in the Dockerfile (a heredoc of COPY or ADD)."""

    name: str
    content: str
    mode: int = 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyFiles:
    """COPY and ADD of local files. Inputs: the root, then the source (none if all is inline).

    Paths of sources are clean, relative to the source's root, and may hold Go's wildcards.
    """

    sources: tuple[str, ...]
    inline: tuple[InlineFile, ...] = ()
    destination: str  # absolute; ends in "/" where it must be a directory
    chown: str = ""  # user[:group], names or numbers; "" keeps the source's (0:0 for contexts)
    chmod: str = ""  # octal or symbolic; "" keeps
    exclude: tuple[str, ...] = ()
    parents: bool = False
    link: bool = False  # the layer does not look at the root: no links followed, nothing shared
    unpack: bool = False  # local tar archives are unpacked (ADD)
    epoch: int | None = None  # SOURCE_DATE_EPOCH in seconds: later mtimes are cut to it


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeDirectory:
    """WORKDIR: a directory and its missing parents, 0755. Inputs: the root."""

    path: str  # absolute, clean
    owner: str = ""  # USER's text; "" is root
    epoch: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecMount:
    """A mount of a RUN: ``input`` is an index into the vertex' inputs, None for the other types."""

    type: str  # bind cache tmpfs secret ssh
    target: str  # absolute
    input: int | None = None
    source: str = "/"  # path inside the input
    read_only: bool = True
    id: str = ""
    sharing: str = "shared"
    size: int = 0
    mode: int | None = None
    uid: int = 0
    gid: int = 0
    required: bool = False
    env: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exec:
    """RUN. Inputs: the root, then what mounts show."""

    argv: tuple[str, ...]
    env: tuple[tuple[str, str], ...] = ()  # in order
    cwd: str = "/"
    user: str = ""
    network: Network = Network.HOST
    insecure: bool = False
    mounts: tuple[ExecMount, ...] = ()
    hosts: tuple[tuple[str, str], ...] = ()  # --add-host; names are in the key, addresses are not
    shm_size: int = 64 << 20
    ulimits: tuple[Ulimit, ...] = ()
    files: tuple[InlineFile, ...] = ()  # heredoc bodies run as scripts, seen at /dev/pipes/NAME
    hidden_env: tuple[tuple[str, str], ...] = ()  # proxies: seen by the process, not in the key
    epoch: int | None = None


Operation = Scratch | PullBase | ReadContext | CopyFiles | MakeDirectory | Exec
