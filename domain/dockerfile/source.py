"""Statements of a Dockerfile: the lines of each instruction.

It follows BuildKit's parser (frontend/dockerfile/parser/parser.go) line by line: continuations,
comments and blank lines in them, here-documents below them.
"""

import re
from collections.abc import Iterator, Sequence

from img.domain.dataclass import dataclass
from img.domain.dockerfile.heredoc import HeredocOpening, openings_in
from img.domain.dockerfile.raw import Heredoc
from img.domain.errors import DockerfileError

LONGEST_LINE = 65535  # bytes; the limit of BuildKit's scanner
MOST_LINES = 100_000  # each needs memory in a plan; generated files have thousands
_COMMENT = re.compile(r"\s*#")
_MANY = 256  # continuation lines
# Prevents a backslash at the end of an instruction, or alone on a line, from continuing it.
_GUARD = "\x00"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """The lines of one instruction, without continuation characters. Line numbers start at 1."""

    pieces: tuple[tuple[int, str], ...]  # line number, text
    lines: tuple[int, int]  # heredocs included
    heredocs: tuple[Heredoc, ...] = ()
    blank_lines: tuple[int, ...] = ()  # inside the continuation

    @property
    def text(self) -> str:
        """The instruction on one line."""
        return self._joined.strip()

    @property
    def trailing(self) -> str:
        """The blanks at its end."""
        return self._joined[len(self._joined.rstrip()) :]

    @property
    def _joined(self) -> str:
        return "".join(piece for _, piece in self.pieces)

    @property
    def text_lines(self) -> frozenset[int]:
        """The lines without the comments between them."""
        last_piece = self.pieces[-1][0]
        below = range(last_piece + 1, self.lines[1] + 1) if self.heredocs else ()
        return frozenset((*(number for number, _ in self.pieces), *below))


def check_line_count(text: str) -> None:
    """Raise DockerfileError for a file with too many lines."""
    if text.count("\n") > MOST_LINES:
        raise DockerfileError(f"the Dockerfile has more than {MOST_LINES} lines")


def check_line_lengths(lines: Sequence[str]) -> None:
    """Raise DockerfileError for a line that is too long for BuildKit."""
    for number, line in enumerate(lines, 1):
        if len(line) * 4 > LONGEST_LINE and len(line.encode(errors="replace")) > LONGEST_LINE:
            raise DockerfileError(
                f"dockerfile line greater than max allowed size of {LONGEST_LINE}",
                lines=(max(number - 1, 1), number),  # the last line that BuildKit reads
            )


def check_no_nul(statements: Sequence[Statement]) -> None:
    """Raise DockerfileError for a NUL, which paths, variables and arguments cannot hold.

    Here-documents may hold one, because they can become files.
    """
    for statement in statements:
        for number, piece in statement.pieces:
            if "\0" in piece:
                raise DockerfileError(
                    "the instruction holds a NUL character", lines=(number, number)
                )


def statements_of(lines: Sequence[str], escape: str) -> Iterator[Statement]:
    """Yield the instructions of ``lines`` in order.

    Raises DockerfileError for a here-document that does not end.
    """
    reader = _Reader(lines, escape)
    while (statement := reader.next()) is not None:
        yield statement


class _Reader:
    def __init__(self, lines: Sequence[str], escape: str) -> None:
        self._lines = lines
        self._escape = escape
        self._at = 0  # number of lines read

    def next(self) -> Statement | None:
        """Return the next instruction at or below the current line."""
        while self._at < len(self._lines):
            line = self._lines[self._at].strip()
            self._at += 1
            if line and line[0] != "#":
                return self._statement()
        return None

    def _statement(self) -> Statement:
        first = self._at
        piece, continues = self._piece(self._lines[first - 1].lstrip())
        pieces, blank = [(first, piece)], []
        while continues and self._at < len(self._lines):
            line = self._lines[self._at].rstrip("\r")
            self._at += 1
            if not line.strip():
                blank.append(self._at)
            elif not _COMMENT.match(line):
                piece, continues = self._piece(line)
                pieces.append((self._at, piece))
        heredocs = self._heredocs(first, pieces)
        return Statement(
            pieces=tuple(pieces),
            lines=(first, self._at),
            heredocs=heredocs,
            blank_lines=tuple(blank),
        )

    def _piece(self, line: str) -> tuple[str, bool]:
        """Return ``line`` without its continuation character, and whether it has one.

        Two of them are an escaped character and no continuation.
        """
        line = line.rstrip("\r")
        stripped = line.rstrip(" \t")
        if stripped[-1:] != self._escape or stripped[-2:-1] == self._escape:
            return line, False
        return stripped[:-1], True

    def _heredocs(self, first: int, pieces: list[tuple[int, str]]) -> tuple[Heredoc, ...]:
        if not any("<" in piece for _, piece in pieces):
            return ()
        openings = openings_in("".join(piece for _, piece in pieces), self._escape)
        return tuple(opening.with_body(self._body(opening, first)) for opening in openings)

    def _body(self, opening: HeredocOpening, first: int) -> str:
        body: list[str] = []
        while self._at < len(self._lines):
            line = self._lines[self._at]
            self._at += 1
            if opening.ends_at(line):
                return "".join(body)
            body.append(line + "\n")
        raise DockerfileError(
            "unterminated heredoc",
            lines=(first, self._at),
            hint=f"end it with a line that holds only {opening.name}",
        )


def plain_lines(lines: Sequence[str], statements: Sequence[Statement]) -> list[str]:
    r"""Return as many lines in a form that a simple Dockerfile parser reads correctly.

    Continued with ``\`` for any escape character, no blank lines inside, keyword and argument on
    one line, no heredoc bodies. Remove the guard at the end of an argument (``without_guard``).
    """
    plain = [line if _COMMENT.match(line) else "" for line in lines]
    for statement in statements:
        first, last = statement.lines
        plain[first - 1 : last] = [""] * (last - first + 1)
        pieces = _joined_where_needed(statement)
        for number in range(first, pieces[-1][0]):
            plain[number - 1] = "#"
        for number, piece in pieces[:-1]:
            plain[number - 1] = piece + "\\"
        number, piece = pieces[-1]
        guarded = not piece.strip() or piece.rstrip().endswith("\\")
        plain[number - 1] = piece + _GUARD if guarded else piece
    return plain


def without_guard(argument: str) -> str:
    """Return a keyword or argument read from plain lines as it was written."""
    return argument.removesuffix(_GUARD)


def _joined_where_needed(statement: Statement) -> Sequence[tuple[int, str]]:
    """Join the first lines up to the end of the keyword, or all lines if there are very many."""
    pieces = statement.pieces
    if len(pieces) > _MANY:
        return [(pieces[0][0], "".join(piece for _, piece in pieces))]
    number, head = pieces[0]
    taken = 1
    while taken < len(pieces) and len((head + "x").split()) < 2:
        head += pieces[taken][1]
        taken += 1
    return [(number, head), *pieces[taken:]]
