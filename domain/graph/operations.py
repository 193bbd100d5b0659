"""The closed set of things a build does."""

from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.filesystem.file_name import FileName
from img.domain.platform import Platform
from img.domain.process import Network, Ulimit

SANDBOX_HOSTNAME = "buildkitsandbox"  # BuildKit's; Dockerfiles that look for it exist


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
class FetchUrl:
    """ADD of a URL: a tree of one file, ``filename``, mode 0600. No inputs."""

    url: str
    filename: FileName
    checksum: Digest | None = None  # what the content must be


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchGit:
    """ADD of a git repository: the tree of a commit, or a directory of it. No inputs."""

    remote: str
    ref: str = ""  # branch, tag or commit; "" is the remote's default
    subdir: str = ""
    checksum: str = ""  # the commit that ``ref`` must be, as hex, maybe shortened
    keep_git_dir: bool = False
    submodules: bool = True
    commit_mtime: bool = False  # files are as old as their commit, not as their checkout


@dataclass(frozen=True, slots=True, kw_only=True)
class InlineFile:
    """A file whose text stands in the Dockerfile (a heredoc of COPY or ADD)."""

    name: FileName
    content: str
    mode: int = 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyFiles:
    """COPY and ADD. Inputs: the root, then the sources (one, or none if all is inline).

    Paths of sources are clean, relative to the source's root, "" is all of it; they may hold Go's
    wildcards. With ``parents``, what stands before a ``/./`` is not repeated at the destination.
    Where ADD mixes files and fetched things, ``source_inputs`` tells for each source which of the
    inputs it is in; what was fetched (FetchUrl, FetchGit) is named literally, without wildcards.
    """

    sources: tuple[str, ...]
    inline: tuple[InlineFile, ...] = ()
    destination: str  # absolute; ends in "/" where it must be a directory
    # user[:group], names or numbers; "user:" is group 0. "" keeps the source's (0:0 for contexts).
    chown: str = ""
    chmod: str = ""  # octal or symbolic; "" keeps
    exclude: tuple[str, ...] = ()
    parents: bool = False
    link: bool = False  # the layer does not look at the root: no links followed, nothing shared
    unpack: bool = False  # local tar archives are unpacked (ADD)
    unpack_fetched: bool = False  # so are those that FetchUrl got (ADD --unpack)
    source_inputs: tuple[int, ...] = ()  # empty: all sources are in input 1
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
    target: str  # absolute; "" for a secret that is only a variable
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
    hostname: str = SANDBOX_HOSTNAME
    devices: tuple[str, ...] = ()  # RUN --device, as written
    platform: Platform | None = None  # whose programs these are; None: this machine's


Operation = (
    Scratch | PullBase | ReadContext | FetchUrl | FetchGit | CopyFiles | MakeDirectory | Exec
)
