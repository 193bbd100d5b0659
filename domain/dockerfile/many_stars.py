"""A matcher in bounded time for expressions of ignore files with many wildcards.

``re`` tries all ways to divide a text among the wildcards: exponential time, so a dozen of them
never end. BuildKit's matcher reads the text once, as this one does.
"""

import re
from collections.abc import Iterator, Sequence

from img.domain.dataclass import dataclass

_FEW = 3  # wildcards; with fewer, ``re`` is quicker
_FEW_DEEP = 2  # wildcards that continue after a slash: a path may have thousands
_STAR = r"\.\*|\[\^/\]\*|\(\?:\.\*/\)\?"
_REPEATED = r"\{[\d,]+\}"
_IN_NAME = "[^/]*"
_DIRECTORIES = "(?:.*/)?"
_CLASS = r"\[\^?\]?(?:\\.|[^\]\\])*\]"
_TOKEN = (
    rf"(?s)(?P<star>{_STAR})"
    rf"|(?P<atom>{_CLASS}|\\.|.)(?:\{{(?P<least>\d+)(?P<more>,(?P<most>\d*))?\}}|(?P<any>\*))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A repeated part: it matches one character, or none like ``^``; None as ``most``: no limit."""

    expression: re.Pattern[str]
    least: int = 1
    most: int | None = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ManyStars:
    """An expression made by ignore.py: its only groups are those for directories."""

    ways: tuple[tuple[_Part | None, ...], ...]  # None: directories, or ""
    words: tuple[tuple[str, ...], ...]  # the words that a text has to contain, for each of them

    @classmethod
    def of(cls, expression: str, few: int = _FEW) -> "ManyStars | None":
        """Return a matcher for ``expression``, a valid one; None if ``re`` is fast enough."""
        stars = re.findall(_STAR, expression)
        deep = len(stars) - stars.count(_IN_NAME)
        if len(stars) <= few and deep <= _FEW_DEEP and not re.search(_REPEATED, expression):
            return None
        ways = [tuple(way) for way in _ways(re.finditer(_TOKEN, expression))]
        return cls(
            ways=tuple(tuple(_part(token) for token in way) for way in ways),
            words=tuple(tuple(_words(way)) for way in ways),
        )

    def fullmatch(self, text: str) -> bool:
        """Return whether all of ``text`` matches."""
        return any(
            all(word in text for word in words) and len(text) in _ends(way, text)
            for way, words in zip(self.ways, self.words, strict=True)
        )


def _ways(tokens: Iterator[re.Match[str]]) -> Iterator[list[re.Match[str]]]:
    way: list[re.Match[str]] = []
    for token in tokens:
        if token["atom"] == "|":
            yield way
            way = []
        else:
            way.append(token)
    yield way


def _part(token: re.Match[str]) -> _Part | None:
    star = token["star"]
    if star == _DIRECTORIES:
        return None
    expression = re.compile(token["atom"] or star[:-1], re.DOTALL | re.ASCII)
    if star or token["any"]:
        return _Part(expression=expression, least=0, most=None)
    if token["least"] is None:
        return _Part(expression=expression)
    most = token["most"] if token["more"] else token["least"]
    return _Part(expression=expression, least=int(token["least"]), most=int(most) if most else None)


def _words(way: Sequence[re.Match[str]]) -> Iterator[str]:
    """Yield the literal words in ``way``; a text without one of them cannot match."""
    word = ""
    for token in way:
        plain = token["atom"] and token[0] in (token["atom"], "")
        if plain and (len(token[0]) == 1 and token[0] not in ".^$"):
            word += token[0]
        elif plain and token[0][0] == "\\" and not token[0][1].isalnum():
            word += token[0][1]
        else:
            yield word
            word = ""
    yield word


def _ends(way: Sequence[_Part | None], text: str) -> set[int]:
    """Return the positions in ``text`` at which a match of all of ``way`` can end."""
    ends = {0}
    for part in way:
        if part is None:
            first = min(ends, default=len(text))
            ends |= {at + 1 for at in range(first, len(text)) if text[at] == "/"}
        else:
            ends = _repeated(part, ends, text)
    return ends


def _repeated(part: _Part, starts: set[int], text: str) -> set[int]:
    found = set() if part.least else set(starts)
    times = 0
    while starts and times != part.most:
        times += 1
        matched = (part.expression.match(text, at) for at in starts)
        starts = {each.end() for each in matched if each}
        if times >= part.least:
            starts -= found
            found |= starts
    return found
