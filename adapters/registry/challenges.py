"""Authentication challenges of a registry (RFC 9110, "WWW-Authenticate")."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import field

from img.domain.dataclass import dataclass

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_SCHEME = re.compile(rf"[\s,]*({_TOKEN})(?=\s|,|$)")
# Blanks beside the "=" are invalid, but recipients have to accept them (RFC 9110, 11.2 and 5.6.3),
# which is more than distribution and containerd do.
_PARAMETER = re.compile(rf'\s*({_TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_TOKEN_68 = re.compile(r"\s+[A-Za-z0-9._~+/-]+=*(?=\s*(?:,|$))")  # instead of parameters
_COMMA = re.compile(r"\s*,")


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """One authentication scheme; scheme and names of parameters in lower case."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict, hash=False)


def parse_challenges(headers: Iterable[str]) -> list[Challenge]:
    """Return the challenges of all WWW-Authenticate headers, without invalid ones.

    A header may contain several, with commas between them as between their parameters.
    """
    return [challenge for header in headers for challenge in _challenges_in(header)]


def _challenges_in(header: str) -> Iterable[Challenge]:
    position = 0
    while scheme := _SCHEME.match(header, position):
        parameters, position = _parameters_at(header, scheme.end())
        yield Challenge(scheme=scheme[1].lower(), parameters=parameters)
        comma = _COMMA.match(header, position)
        if comma is None:
            return
        position = comma.end()


def _parameters_at(header: str, position: int) -> tuple[dict[str, str], int]:
    """Return the parameters from ``position`` on, and the position after them."""
    found: dict[str, str] = {}
    if token_68 := _TOKEN_68.match(header, position):
        return found, token_68.end()
    while parameter := _PARAMETER.match(header, position):
        name, quoted, bare = parameter.groups()
        found.setdefault(name.lower(), bare if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
        position = parameter.end()
        comma = _COMMA.match(header, position)
        if comma is None or not _PARAMETER.match(header, comma.end()):
            break
        position = comma.end()
    return found, position
