"""The lexer of templates (text/template/parse, lex.go)."""

import re
from collections.abc import Iterator

from img.domain.dataclass import dataclass
from img.domain.go.template.values import TemplateError

MOST_TOKENS = 10_000
_SHOWN = 20  # characters of the template in a message

_OPEN = re.compile(r"\{\{(?:-(?=[ \t\r\n])[ \t\r\n]*)?")
_CLOSE = re.compile(r"(?:(?<=[ \t\r\n])-)?\}\}")
_COMMENT = re.compile(r"/\*.*?\*/[ \t\r\n]*(?=(?:(?<=[ \t\r\n])-)?\}\})", re.DOTALL)
_TOKEN = re.compile(
    r"""
      (?P<text>   "(?:[^"\\\n]|\\.)*" | `[^`]*` )
    | (?P<char>   '(?:[^'\\\n]|\\.)+' )
    | (?P<number> [+-]?(?:
          0[xX][0-9a-fA-F]+ | (?:[0-9]+(?:\.[0-9]*)? | \.[0-9]+)(?:[eE][+-]?[0-9]+)?
      )(?!\w) )
    | (?P<field>  \.[^\W\d]\w* )
    | (?P<dot>    \. )
    | (?P<variable> \$\w* )
    | (?P<word>   [^\W\d]\w* )
    | (?P<sign>   := | = | \| | \( | \) | , )
    """,
    re.VERBOSE,
)
_BLANK = re.compile(r"[ \t\r\n]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token between ``{{`` and ``}}``."""

    kind: str  # a group of the expression above
    text: str
    apart: bool  # blanks precede it


@dataclass(frozen=True, slots=True)
class Literal:
    """Text outside of ``{{`` and ``}}``."""

    text: str


Piece = Literal | tuple[Token, ...]
"""Text, or the tokens of one action."""


def pieces_of(template: str) -> Iterator[Piece]:
    """Yield the pieces of ``template`` without comments. Raises TemplateError."""
    at, trim, count = 0, False, 0
    while True:
        opened = _OPEN.search(template, at)
        text = template[at : opened.start() if opened else len(template)]
        text = text.lstrip(" \t\r\n") if trim else text
        if opened is None:
            yield Literal(text)
            return
        yield Literal(text.rstrip(" \t\r\n") if opened[0] != "{{" else text)
        at = opened.end()
        if comment := _COMMENT.match(template, at):
            at = comment.end()
        tokens, at, trim = _action(template, at)
        count += len(tokens)
        if count > MOST_TOKENS:
            raise TemplateError(f"it has more than {MOST_TOKENS} words")
        if tokens or comment is None:
            yield tokens


def _action(template: str, at: int) -> tuple[tuple[Token, ...], int, bool]:
    """Return the tokens of an action, its end, and whether the blanks after it are trimmed."""
    tokens: list[Token] = []
    apart = False
    while True:
        if closed := _CLOSE.match(template, at):
            return tuple(tokens), closed.end(), closed[0] != "}}"
        if blank := _BLANK.match(template, at):
            at, apart = blank.end(), True
            continue
        found = _TOKEN.match(template, at)
        if found is None:
            wrong = template[at : at + _SHOWN]
            raise TemplateError(f"unexpected {wrong!r}" if wrong else "an action has no end: }}")
        tokens.append(Token(kind=found.lastgroup or "", text=found[0], apart=apart))
        at, apart = found.end(), False
