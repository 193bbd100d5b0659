"""Parser directives at the top of a file: ``# syntax=``, ``# escape=``, ``# check=``.

Source: Dockerfile reference, "Parser directives"; BuildKit
frontend/dockerfile/parser/directives.go.
"""

import json
import re
from collections.abc import Iterator, Sequence

from img.domain.dataclass import dataclass
from img.domain.dockerfile.raw import Directive
from img.domain.errors import DockerfileError

_KNOWN = frozenset({"syntax", "escape", "check"})
_MOST_LINES = len(_KNOWN) + 1  # of directives: each at most once, then another line
_LARGEST_JSON = 1 << 20  # characters; a longer text is not parsed as JSON
_DIRECTIVE = r"{}\s*([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=[\t\n\f\r ]*(.+?)[\t\n\f\r ]*\Z"
_HASH = _DIRECTIVE.format("#")
_SLASHES = _DIRECTIVE.format("//")


@dataclass(frozen=True, slots=True, kw_only=True)
class Syntax:
    """The frontend of a file: its image, the whole value, and the line.

    For JSON, the line is the one before the document, so it may be 0.
    """

    reference: str
    command_line: str
    line: int


class DuplicateDirective(DockerfileError):
    """A repeated directive; ``lines`` are the two lines."""

    def __init__(self, name: str, lines: tuple[int, int]) -> None:
        super().__init__(f"only one {name} parser directive can be used", lines=lines)


def read_directives(lines: Sequence[str]) -> tuple[Directive, ...]:
    """Return the directives at the top; the first other line ends them.

    Raises DuplicateDirective.
    """
    return tuple(_read(lines, _HASH))


def escape_of(directives: Sequence[Directive]) -> str:
    r"""Return the escape character, by default ``\``. Raises DockerfileError for an invalid one."""
    for directive in directives:
        if directive.name == "escape":
            if directive.value not in ("\\", "`"):
                raise DockerfileError(
                    f"invalid escape token '{directive.value}' does not match ` or \\",
                    lines=(directive.line, directive.line),
                )
            return directive.value
    return "\\"


def find_directive(name: str, text: str) -> Directive | None:
    """Return the directive ``name`` of a file; a ``#!`` line may precede it."""
    return _find(name, text, _HASH)


def detect_syntax(text: str) -> Syntax | None:
    """Return the frontend in ``# syntax=``, ``// syntax=`` or ``{"syntax": …}``."""
    found = _find("syntax", text, _HASH) or _find("syntax", text, _SLASHES)
    if found:
        return Syntax(reference=found.first_word, command_line=found.value, line=found.line)
    if len(text) > _LARGEST_JSON:
        return None
    text, skipped = _without_shebang(text)
    try:
        document = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None
    value = document.get("syntax") if isinstance(document, dict) else None
    if not isinstance(value, str):
        return None
    return Syntax(reference=value, command_line=value, line=skipped)


def _refuse_constant(name: str) -> None:
    raise ValueError(name)  # Python's json accepts NaN and Infinity, JSON does not


def _find(name: str, text: str, pattern: str) -> Directive | None:
    text, skipped = _without_shebang(text)
    try:
        lines = text.split("\n", _MOST_LINES)[:_MOST_LINES]
        for directive in _read(lines, pattern, skipped):
            if directive.name == name:
                return directive
    except DuplicateDirective:
        return None
    return None


def _without_shebang(text: str) -> tuple[str, int]:
    text = text.removeprefix("\ufeff")
    return (text.partition("\n")[2], 1) if text.startswith("#!") else (text, 0)


def _read(lines: Sequence[str], pattern: str, skipped: int = 0) -> Iterator[Directive]:
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, skipped + 1):
        found = re.match(pattern, line.removesuffix("\r"))
        if not found or (name := found.group(1).lower()) not in _KNOWN:
            return
        if name in seen:
            raise DuplicateDirective(name, (seen[name], number))
        seen[name] = number
        yield Directive(name=name, value=found.group(2), line=number)
