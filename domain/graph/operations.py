"""The operations of a build: a closed set."""

from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.dockerfile.instructions import MountType
from img.domain.filesystem.file_name import FileName
from img.domain.platform import Platform
from img.domain.process import Network, Ulimit, Volume

SANDBOX_HOSTNAME = "buildkitsandbox"  # BuildKit's path; some Dockerfiles test for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Scratch:
    """The empty root of FROM scratch. No inputs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullBase:
    """The layers of an image. No inputs."""

    reference: str  # the full name, for messages and for its registry
    manifest: Digest  # the manifest of one platform, never an index
    platform: Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadContext:
    """The files of the main build context, or of a named one. No inputs."""

    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchUrl:
    """ADD of a URL: a tree of one file, ``filename``, mode 0600. No inputs."""

    url: str
    filename: FileName
    checksum: Digest | None = None  # the required digest of the content


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchGit:
    """ADD of a git repository: the tree of a commit, or a directory of it. No inputs."""

    remote: str
    ref: str = ""  # branch, tag or commit; "" is the remote's default branch
    subdir: str = ""
    checksum: str = ""  # the required commit of ``ref``, as hex, possibly short
    keep_git_dir: bool = False
    submodules: bool = True
    commit_mtime: bool = False  # mtimes are the commit's time, not that of the checkout


@dataclass(frozen=True, slots=True, kw_only=True)
class InlineFile:
    """A file with text from the Dockerfile (a heredoc of COPY or ADD)."""

    name: FileName
    content: str
    mode: int = 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyFiles:
    """COPY and ADD. Inputs: the root, then the sources (none if all files are inline).

    Paths of sources are clean and relative to the source's root, "" is the root; they may hold
    Go's wildcards. With ``parents``, the part before a ``/./`` is not repeated at the
    destination. If ADD mixes files and downloads, ``source_inputs`` is the input of each source;
    downloads (FetchUrl, FetchGit) have literal names, without wildcards.
    """

    sources: tuple[str, ...]
    inline: tuple[InlineFile, ...] = ()
    destination: str  # absolute; ends in "/" where it must be a directory
    # user[:group], names or numbers; "user:" is group 0. "" keeps the owner (0:0 for contexts).
    chown: str = ""
    chmod: str = ""  # octal or symbolic; "" keeps
    exclude: tuple[str, ...] = ()
    parents: bool = False
    link: bool = False  # the layer does not depend on the root: no links are followed
    unpack: bool = False  # local tar archives are unpacked (ADD)
    unpack_fetched: bool = False  # archives of FetchUrl are unpacked (ADD --unpack)
    source_inputs: tuple[int, ...] = ()  # empty: all sources are in input 1
    epoch: int | None = None  # SOURCE_DATE_EPOCH in seconds: the maximum of mtimes


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeDirectory:
    """WORKDIR: a directory and its missing parents, mode 0755. Inputs: the root."""

    path: str  # absolute, clean
    owner: str = ""  # USER's text; "" is root
    epoch: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecMount:
    """A mount of a RUN; ``input`` is an index into the vertex's inputs, None for other types."""

    type: MountType
    target: str  # absolute; "" for a secret that is only an environment variable
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
    """RUN. Inputs: the root, then the sources of mounts."""

    argv: tuple[str, ...]
    env: tuple[tuple[str, str], ...] = ()  # in order
    cwd: str = "/"
    user: str = ""
    network: Network = Network.HOST
    insecure: bool = False
    mounts: tuple[ExecMount, ...] = ()
    hosts: tuple[tuple[str, str], ...] = ()  # --add-host; only names are part of the key
    shm_size: int = 64 << 20
    ulimits: tuple[Ulimit, ...] = ()
    files: tuple[InlineFile, ...] = ()  # heredoc bodies that run as scripts, at /dev/pipes/NAME
    hidden_env: tuple[tuple[str, str], ...] = ()  # proxies; not part of the key
    epoch: int | None = None
    hostname: str = SANDBOX_HOSTNAME
    devices: tuple[str, ...] = ()  # RUN --device, as written
    platform: Platform | None = None  # the platform of the programs; None: that of this machine
    volumes: tuple[Volume, ...] = ()

    @property
    def is_cacheable(self) -> bool:
        """False if it sees files of the host that may change, or that it may change."""
        return all(volume.state for volume in self.volumes)


Operation = (
    Scratch | PullBase | ReadContext | FetchUrl | FetchGit | CopyFiles | MakeDirectory | Exec
)
