"""Wildcards of Go's filepath.Match, for sources of COPY and ADD."""

import re
from functools import lru_cache

_ATOM = r"(?:[^\\\-\]]|\\.)"
_CLASS = rf"\[\^?(?:{_ATOM}(?:-{_ATOM})?)+\]"
_WILDCARD = r"(?s)(?:[^\\*?\[]|\\.)*+[*?\[]"
_PIECE = rf"(?s)\*+|\?|\\.|{_CLASS}|[^\\\[]"


class BadPattern(ValueError):
    """A malformed pattern: an open bracket, or a backslash at the end."""

    def __init__(self, pattern: str) -> None:
        super().__init__(f"syntax error in pattern: {pattern}")
        self.pattern = pattern


def has_wildcards(pattern: str) -> bool:
    r"""Return whether ``pattern`` holds a wildcard; an escaped one (``\*``) does not count."""
    return re.match(_WILDCARD, pattern) is not None


def literal(path: str) -> str:
    """Return the pattern that matches only ``path``.

    A path without wildcards is returned unchanged, including backslashes. A source is a pattern
    only from its first name with a wildcard on.
    """
    names = path.split("/")
    for at, name in enumerate(names):
        if has_wildcards(name):
            return "/".join([*names[:at], *map(_escaped, names[at:])])
    return path


def matches(pattern: str, name: str) -> bool:
    """Return whether all of ``name`` matches; ``*`` and ``?`` match no slash. Raises BadPattern."""
    return compile_pattern(pattern).fullmatch(name) is not None


@lru_cache(maxsize=1024)
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Return ``pattern`` as an expression for ``fullmatch``. Raises BadPattern."""
    chunks = [""]  # the text between stars
    at = 0
    while at < len(pattern):
        found = re.compile(_PIECE).match(pattern, at)
        if not found:
            raise BadPattern(pattern)
        at = found.end()
        if found[0][0] == "*":
            chunks.append("")
        else:
            chunks[-1] += _expression(found[0])
    first, *middle = chunks
    last = f"[^/]*{middle.pop()}" if middle else ""
    # As in Go, only the first place of a chunk is tried: chunks have a fixed length, so a later
    # place cannot match more, and to try them all takes exponential time.
    return re.compile(first + "".join(f"(?>[^/]*?{chunk})" for chunk in middle) + last, re.DOTALL)


def _escaped(name: str) -> str:
    # In brackets: a backslash alone does not make a pattern of a path.
    return re.sub(r"[*?\[]", r"[\g<0>]", name.replace("\\", "\\\\"))


def _expression(piece: str) -> str:
    if piece == "?":
        return "[^/]"
    if piece.startswith("\\"):
        return re.escape(piece[1:])
    return _class(piece) if len(piece) > 1 else re.escape(piece)


def _class(piece: str) -> str:
    negated = piece.startswith("[^")
    ranges = re.findall(rf"({_ATOM})(?:-({_ATOM}))?", piece[2 if negated else 1 : -1], re.DOTALL)
    inside = ""
    for low, high in ((low[-1], (high or low)[-1]) for low, high in ranges):
        if low <= high:  # a reversed range matches nothing
            inside += f"{re.escape(low)}-{re.escape(high)}"
    if not inside:
        return "(?s:.)" if negated else "(?!)"
    return f"[{'^' if negated else ''}{inside}]"
