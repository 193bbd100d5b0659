"""Faults of a definition, with the place where they are."""

import unicodedata
from bisect import bisect_right
from functools import cached_property
from typing import NamedTuple

from img.domain.dockerfile.excerpt import render_excerpt
from img.domain.errors import SourceError


class SourceText:
    """The text of one definition file, and its name for messages."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text

    @cached_property
    def _line_starts(self) -> list[int]:
        starts = [0]
        at = self.text.find("\n")
        while at >= 0:
            starts.append(at + 1)
            at = self.text.find("\n", at + 1)
        return starts

    def position(self, offset: int) -> tuple[int, int]:
        """Return the line and the column of ``offset``: both from 1, columns in characters."""
        line = bisect_right(self._line_starts, offset)
        before = self.text[self._line_starts[line - 1] : offset]
        if before.isascii():
            return line, len(before) + 1
        return line, 1 + sum(not unicodedata.combining(char) for char in before)


class Span(NamedTuple):
    """A part of a text: offsets of its first character and of the one behind its last."""

    source: SourceText
    start: int
    end: int

    def to(self, last: "Span") -> "Span":
        """Return the part from here to the end of ``last``."""
        return Span(self.source, self.start, last.end)

    def __str__(self) -> str:
        line, column = self.source.position(self.start)
        last_line, last_column = self.source.position(self.end)
        last = str(last_column) if line == last_line else f"{last_line},{last_column}"
        return f"{self.source.name}:{line},{column}-{last}"

    @property
    def lines(self) -> tuple[int, int]:
        """The first and the last line, from 1."""
        first = self.source.position(self.start)[0]
        # The end of a part is behind its line break where it has one.
        return first, max(first, self.source.position(max(self.start, self.end - 1))[0])


class BakeError(SourceError):
    """The definition cannot be understood, or does not fit together."""

    exit_code = 3
    preamble = ""


class BakeSyntaxError(BakeError):
    """A fault at a place: ``summary`` says its kind, ``detail`` the rest."""

    def __init__(self, summary: str, detail: str, span: Span) -> None:
        super().__init__(f"{span}: {summary}; {detail}", lines=span.lines)
        self.summary = summary
        self.detail = detail
        self.span = span
        first = span.lines[0]
        self.excerpt = render_excerpt(span.source.name, span.source.text, (first, first))
