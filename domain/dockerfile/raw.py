"""The instructions of a Dockerfile as text, before they are interpreted."""

from img.domain.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Heredoc:
    """The body behind ``<<NAME`` (Dockerfile reference, "Here-Documents")."""

    name: str
    content: str
    expand: bool  # False when NAME was quoted
    chomp: bool = False  # True for <<-NAME: leading tabs are already stripped
    descriptor: int = 0  # the number in 3<<NAME
    indented: str | None = None  # the body before its tabs were stripped, if ``chomp`` is set

    @property
    def as_written(self) -> str:
        """The body as it is in the file, for a caller that rebuilds the text."""
        return self.content if self.indented is None else self.indented


@dataclass(frozen=True, slots=True, kw_only=True)
class RawInstruction:
    """One instruction as written: continuation lines joined, comments and heredoc bodies taken out.

    ``lines`` are 1-based, first and last, heredoc bodies included.
    """

    keyword: str  # as written
    rest: str  # what follows the keyword, flags included
    trailing: str = ""  # the blanks behind it
    lines: tuple[int, int]
    heredocs: tuple[Heredoc, ...] = ()
    comments: tuple[str, ...] = ()  # the comment lines above, without "#"


@dataclass(frozen=True, slots=True, kw_only=True)
class Directive:
    """A parser directive: ``# key=value`` at the top of the file."""

    name: str  # lower case
    value: str
    line: int

    @property
    def first_word(self) -> str:
        """The value up to its first blank; BuildKit treats the rest of some as a comment."""
        return self.value.partition(" ")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class RawDockerfile:
    """A whole file: its directives, its escape character and its instructions."""

    instructions: tuple[RawInstruction, ...]
    directives: tuple[Directive, ...] = ()
    escape: str = "\\"
    empty_continuations: tuple[int, ...] = ()  # lines that are blank inside a continuation
