"""Expressions of ignore files that hold many wildcards, matched in a time that has a bound.

``re`` tries all ways in which their parts may share a text, which for a dozen of them takes longer
than anybody can wait. BuildKit's matcher goes through the text once, as this does.
"""

import re
from collections.abc import Iterator, Sequence

from img.domain.dataclass import dataclass

_FEW = 3  # wildcards; up to them ``re`` is quicker
_FEW_DEEP = 2  # of them such as go on behind a slash: a path may have thousands
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
    """What matches one character, or nothing like ``^``; ``most`` is None where there is no end."""

    expression: re.Pattern[str]
    least: int = 1
    most: int | None = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ManyStars:
    """An expression as ignore.py makes them: no groups but that for directories."""

    ways: tuple[tuple[_Part | None, ...], ...]  # None: directories, or nothing
    words: tuple[tuple[str, ...], ...]  # that a text needs to have for each of them

    @classmethod
    def of(cls, expression: str, few: int = _FEW) -> "ManyStars | None":
        """Return what matches ``expression``, which ``re`` accepts; None where ``re`` will do."""
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
        """Tell whether all of ``text`` matches."""
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
    expression = re.compile(token["atom"] or star[:-1], re.DOTALL)
    if star or token["any"]:
        return _Part(expression=expression, least=0, most=None)
    if token["least"] is None:
        return _Part(expression=expression)
    most = token["most"] if token["more"] else token["least"]
    return _Part(expression=expression, least=int(token["least"]), most=int(most) if most else None)


def _words(way: Sequence[re.Match[str]]) -> Iterator[str]:
    """Yield what stands in ``way`` as it is; a text without it need not be gone through."""
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
    """Return up to where ``text`` may be matched by all of ``way``."""
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
