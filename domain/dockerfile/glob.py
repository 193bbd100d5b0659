r"""The wildcards of ``${v#p}``, ``${v%p}`` and ``${v/p/r}``: ``*`` and ``?``, ``\*`` and ``\?``."""

import re
from functools import lru_cache

_GROUP = r"\$(?:(?P<dollar>\$)|(?P<bare>\w+)|\{(?P<braced>\w+)\})"


class BadEscape(ValueError):
    """A backslash before a character that needs none."""


class TooLong(ValueError):
    """A result above the length limit."""


def trim_prefix(value: str, pattern: str, *, longest: bool) -> str:
    """Return ``value`` without its shortest or longest matching prefix. Raises BadEscape."""
    found = _compiled(pattern, greedy=longest).match(value)
    return value[found.end() :] if found else value


def trim_suffix(value: str, pattern: str, *, longest: bool) -> str:
    """Return ``value`` without its shortest or longest matching suffix. Raises BadEscape."""
    # Both reversed: a regular expression finds the leftmost match, not the shortest suffix.
    return trim_prefix(value[::-1], _reversed(pattern), longest=longest)[::-1]


def replace_matches(
    value: str, pattern: str, replacement: str, *, everywhere: bool, most: int
) -> str:
    """Return ``value`` with the first match, or all, replaced. Raises BadEscape, TooLong.

    To replace all, BuildKit uses Go's ReplaceAllString: ``$0`` in the replacement is the match.
    """
    left, last = most - len(value), 0

    def replaced(found: re.Match[str]) -> str:
        nonlocal left, last
        # In Go, unlike in Python, no empty match follows another match at once.
        if 0 < found.end() == last:
            return ""
        last = found.end()
        text = _filled(replacement, found[0]) if everywhere else replacement
        left -= len(text) - len(found[0])
        if left < 0:
            raise TooLong
        return text

    return _compiled(pattern, greedy=True).sub(replaced, value, count=0 if everywhere else 1)


def _filled(template: str, match: str) -> str:
    """Return ``template`` with the names of groups replaced: only 0 is one (regexp.Expand)."""

    def value_of(name: re.Match[str]) -> str:
        if name["dollar"]:
            return "$"
        return match if "0" in (name["bare"], name["braced"]) else ""

    return re.sub(_GROUP, value_of, template) if "$" in template else template


@lru_cache(maxsize=256)
def _compiled(pattern: str, *, greedy: bool) -> re.Pattern[str]:
    chunks = [""]  # the text between stars
    characters = iter(range(len(pattern)))
    for at in characters:
        char = pattern[at]
        if char == "*":
            chunks.append("")
        elif char == "?":
            chunks[-1] += "."
        elif char != "\\":
            chunks[-1] += re.escape(char)
        elif pattern[at + 1 : at + 2] not in ("}", "/"):  # they lose the backslash
            chunks[-1] += re.escape(_escaped(pattern[at + 1 : at + 2]))
            next(characters)
    first, *middle = chunks
    last = (".*" if greedy else ".*?") + middle.pop() if middle else ""
    # The earliest place of each chunk leaves the most room for the last one, so no other place
    # has to be tried. To try them all takes exponential time.
    return re.compile(first + "".join(f"(?>.*?{chunk})" for chunk in middle) + last)


def _escaped(char: str) -> str:
    if char not in ("*", "?", "\\"):
        raise BadEscape(f"invalid escape '\\{char}'")
    return char


def _reversed(pattern: str) -> str:
    pieces = re.findall(r"\\.|.", pattern, re.DOTALL)
    return "".join(reversed(pieces))
