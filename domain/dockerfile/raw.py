"""What reading a Dockerfile's lines yields, before any meaning is given to them."""

from img.domain.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Heredoc:
    """The body behind ``<<NAME`` (Dockerfile reference, "Here-Documents")."""

    name: str
    content: str
    expand: bool  # False when NAME was quoted
    chomp: bool = False  # True for <<-NAME: leading tabs are stripped already
    descriptor: int = 0  # the number in 3<<NAME
    indented: str | None = None  # the body before its tabs were stripped, where chomp did that

    @property
    def as_written(self) -> str:
        """The body as it stands in the file, for whoever puts the text together again."""
        return self.content if self.indented is None else self.indented


@dataclass(frozen=True, slots=True, kw_only=True)
class RawInstruction:
    """One instruction as written: continuation lines joined, comments and heredoc bodies taken out.

    ``lines`` are 1-based, first and last, heredoc bodies included.
    """

    keyword: str  # as written
    rest: str  # what follows the keyword, flags included
    lines: tuple[int, int]
    heredocs: tuple[Heredoc, ...] = ()
    comments: tuple[str, ...] = ()  # the comment lines above, without "#"


@dataclass(frozen=True, slots=True, kw_only=True)
class Directive:
    """A parser directive, ``# key=value`` above everything else."""

    name: str  # lower case
    value: str
    line: int

    @property
    def first_word(self) -> str:
        """The value up to its first blank; BuildKit takes the rest of some as an explanation."""
        return self.value.partition(" ")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class RawDockerfile:
    """A whole file: its directives, the escape character they choose, its instructions."""

    instructions: tuple[RawInstruction, ...]
    directives: tuple[Directive, ...] = ()
    escape: str = "\\"
    empty_continuations: tuple[int, ...] = ()  # lines that are blank inside a continuation
