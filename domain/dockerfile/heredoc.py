"""Here-documents: the words that open them, and their bodies.

Source: Dockerfile reference, "Here-Documents"; BuildKit frontend/dockerfile/parser/parser.go.
"""

import re
from collections.abc import Iterator

from img.domain.dataclass import dataclass
from img.domain.dockerfile.raw import Heredoc
from img.domain.dockerfile.variables import ExpansionFailed, expand_words
from img.domain.dockerfile.words import parse_json_form, split_first, split_flags
from img.domain.errors import DockerfileError

_OPENING = r"([0-9]{0,9})<<(-?)[\t\n\f\r ]*([^<]*)"
_MAY_OPEN = frozenset({"run", "copy", "add"})


@dataclass(frozen=True, slots=True, kw_only=True)
class HeredocOpening:
    """``3<<-NAME``: a word that opens a here-document."""

    name: str
    expand: bool
    chomp: bool
    descriptor: int

    def ends_at(self, line: str) -> bool:
        """Return whether ``line`` is the terminator."""
        line = line.rstrip("\r\n")
        return (line.lstrip("\t") if self.chomp else line) == self.name

    def with_body(self, body: str) -> Heredoc:
        """Return the heredoc with ``body`` as written; ``<<-`` strips its leading tabs."""
        return Heredoc(
            name=self.name,
            content=without_leading_tabs(body) if self.chomp else body,
            expand=self.expand,
            chomp=self.chomp,
            descriptor=self.descriptor,
            indented=body if self.chomp else None,
        )


def without_leading_tabs(body: str) -> str:
    """Return ``body`` without the leading tabs of its lines, as for ``<<-``."""
    return re.sub(r"^\t+", "", body, flags=re.MULTILINE)


def heredoc_opening(word: str) -> HeredocOpening | None:
    """Return the here-document that ``<<NAME`` opens, None if ``word`` opens none."""
    found = re.fullmatch(_OPENING, word)
    if not found:
        return None
    descriptor, dash, rest = found.groups()
    if not rest:
        return None
    try:
        names = expand_words(rest, {}, skip_unset=True)
        as_written = expand_words(rest, {}, skip_unset=True, raw_quotes=True)
    except ExpansionFailed:
        return None
    if len(names) != 1:
        return None
    return HeredocOpening(
        name=names[0],
        expand=names == as_written,  # any quote disables expansion; a backslash does not
        chomp=bool(dash),
        descriptor=int(descriptor or "0"),
    )


def openings_in(line: str, escape: str) -> tuple[HeredocOpening, ...]:
    """Return the here-documents that an instruction, with its lines joined, opens, in order."""
    if "<<" not in line or not _may_open(line, escape):
        return ()
    return tuple(_openings(line))


def _openings(line: str) -> Iterator[HeredocOpening]:
    try:
        words = expand_words(line, {}, skip_unset=True, raw_quotes=True, raw_escapes=True)
    except ExpansionFailed:
        return
    for word in words:  # ``<< NAME`` opens one, as in a shell; ``<<- NAME`` does not
        if opening := heredoc_opening(word):
            yield opening


def _may_open(line: str, escape: str) -> bool:
    keyword, rest = split_first(line)
    if keyword.lower() == "onbuild":
        keyword, rest = split_first(split_flags(rest, escape)[1])
    if keyword.lower() not in _MAY_OPEN:
        return False
    try:
        return parse_json_form(split_flags(rest, escape)[1]) is None
    except DockerfileError:
        return False
