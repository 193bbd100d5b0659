r"""The wildcards of ``${v#p}``, ``${v%p}`` and ``${v/p/r}``: ``*`` and ``?``, ``\*`` and ``\?``."""

import re
from functools import lru_cache


class BadEscape(ValueError):
    """A backslash before what needs none."""


def trim_prefix(value: str, pattern: str, *, longest: bool) -> str:
    """Return ``value`` without the shortest or longest beginning that matches. Raises BadEscape."""
    found = _compiled(pattern, greedy=longest).match(value)
    return value[found.end() :] if found else value


def trim_suffix(value: str, pattern: str, *, longest: bool) -> str:
    """Return ``value`` without the shortest or longest end that matches. Raises BadEscape."""
    # Backwards both, as a regular expression finds the leftmost match and not the shortest last.
    return trim_prefix(value[::-1], _reversed(pattern), longest=longest)[::-1]


def replace_matches(value: str, pattern: str, replacement: str, *, everywhere: bool) -> str:
    """Return ``value`` with the first match, or each, replaced. Raises BadEscape."""
    return _compiled(pattern, greedy=True).sub(
        lambda _: replacement, value, count=0 if everywhere else 1
    )


@lru_cache(maxsize=256)
def _compiled(pattern: str, *, greedy: bool) -> re.Pattern[str]:
    star = ".*" if greedy else ".*?"
    out: list[str] = []
    characters = iter(range(len(pattern)))
    for at in characters:
        char = pattern[at]
        if char == "*":
            if out[-1:] != [star]:  # two in a row say no more, and cost the matcher dearly
                out.append(star)
        elif char == "?":
            out.append(".")
        elif char != "\\":
            out.append(re.escape(char))
        elif pattern[at + 1 : at + 2] not in ("}", "/"):  # those lose their backslash silently
            out.append(re.escape(_escaped(pattern[at + 1 : at + 2])))
            next(characters)
    return re.compile("".join(out))


def _escaped(char: str) -> str:
    if char not in ("*", "?", "\\"):
        raise BadEscape(f"invalid escape '\\{char}'")
    return char


def _reversed(pattern: str) -> str:
    pieces = re.findall(r"\\.|.", pattern, re.DOTALL)
    return "".join(reversed(pieces))
