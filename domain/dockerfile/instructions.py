"""The instructions of the Dockerfile language, one class each.

Words are kept as written. Variables are expanded when the graph is made, because only then the
variables in scope are known (Dockerfile reference, "Environment replacement").
"""

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Literal

from img.domain.dataclass import dataclass
from img.domain.dockerfile.raw import Heredoc


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """The place of an instruction (1-based lines) and its text."""

    lines: tuple[int, int] = (0, 0)
    keyword: str = ""  # as written; a check reads the casing
    original: str = ""  # the whole instruction as one line, for messages and progress
    comments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class From(Located):
    """FROM [--platform=P] base [AS name]."""

    base: str
    name: str = ""  # lower case
    platform: str = ""
    name_as_written: str = ""
    as_keyword: str = ""  # "AS" as written


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command line in shell form (one text for the shell) or exec form (its words)."""

    words: tuple[str, ...]
    shell: bool
    heredocs: tuple[Heredoc, ...] = ()


MountType = Literal["bind", "cache", "tmpfs", "secret", "ssh"]
"""The types of mounts of RUN."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMount:
    """``RUN --mount=…`` (Dockerfile reference, "RUN --mount"); absent options are None."""

    type: MountType = "bind"
    target: str = ""
    source: str = ""
    from_: str = ""  # stage, image or named context
    read_only: bool | None = None
    id: str = ""
    sharing: str = ""  # shared private locked
    size: int = 0  # bytes, of a tmpfs
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    required: bool = False
    env: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(Located):
    """RUN."""

    command: Command
    mounts: tuple[RunMount, ...] = ()
    mount_words: tuple[str, ...] = ()  # the values of --mount as written; they are expanded later
    network: str = ""  # "" default none host
    security: str = ""  # "" sandbox insecure
    devices: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()  # names of the flags used


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy(Located):
    """COPY."""

    sources: tuple[str, ...]
    heredocs: tuple[Heredoc, ...] = ()
    destination: str
    from_: str = ""
    chown: str = ""
    chmod: str = ""
    link: bool = False
    parents: bool = False
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Add(Located):
    """ADD."""

    sources: tuple[str, ...]
    heredocs: tuple[Heredoc, ...] = ()
    destination: str
    chown: str = ""
    chmod: str = ""
    link: bool = False
    exclude: tuple[str, ...] = ()
    checksum: str = ""
    keep_git_dir: bool | None = None
    unpack: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyValue:
    """A name and a value of ENV or LABEL; ``legacy`` is the form with a blank instead of ``=``."""

    key: str
    value: str
    legacy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Env(Located):
    """ENV."""

    pairs: tuple[KeyValue, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Label(Located):
    """LABEL."""

    pairs: tuple[KeyValue, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One variable of ARG; ``default`` is None without a default value."""

    name: str
    default: str | None = None
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arg(Located):
    """ARG."""

    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workdir(Located):
    """WORKDIR."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class User(Located):
    """USER."""

    user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell(Located):
    """SHELL."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cmd(Located):
    """CMD."""

    command: Command


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrypoint(Located):
    """ENTRYPOINT."""

    command: Command


@dataclass(frozen=True, slots=True, kw_only=True)
class Expose(Located):
    """EXPOSE."""

    ports: tuple[str, ...]  # as written, sorted (BuildKit instructions/parse.go, parseExpose)


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume(Located):
    """VOLUME."""

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSignal(Located):
    """STOPSIGNAL."""

    signal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Healthcheck(Located):
    """HEALTHCHECK; times in nanoseconds, 0 if not given."""

    test: tuple[str, ...]  # ("NONE",), ("CMD", …) or ("CMD-SHELL", text)
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OnBuild(Located):
    """ONBUILD; the trigger is kept as text and interpreted in the child stage."""

    expression: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintainer(Located):
    """MAINTAINER."""

    name: str


Instruction = (
    Run
    | Copy
    | Add
    | Env
    | Label
    | Arg
    | Workdir
    | User
    | Shell
    | Cmd
    | Entrypoint
    | Expose
    | Volume
    | StopSignal
    | Healthcheck
    | OnBuild
    | Maintainer
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A FROM and the instructions up to the next FROM."""

    start: From
    instructions: tuple[Instruction, ...]
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Dockerfile:
    """A parsed file: global ARGs, stages in order, directives."""

    meta_args: tuple[Arg, ...]
    stages: tuple[Stage, ...]
    directives: Mapping[str, str] = field(default_factory=dict)
    escape: str = "\\"

    @property
    def instructions(self) -> Iterator[From | Instruction]:
        """All instructions in the order of the file."""
        yield from self.meta_args
        for stage in self.stages:
            yield stage.start
            yield from stage.instructions
