"""Names and rights in the cache service of GitHub Actions, as BuildKit uses it.

Sources: BuildKit, cache/remotecache/gha; github.com/tonistiigi/go-actions-cache.
"""

import binascii
from base64 import urlsafe_b64decode
from hashlib import sha256

from img.domain.dataclass import dataclass
from img.domain.decimal_text import parse_count
from img.domain.digest import Digest
from img.domain.errors import ImgError
from img.domain.json_text import InvalidJson, parse_json

ENTRY_VERSION = sha256(b"|go-actionscache-1.0").hexdigest()

_LONGEST_TOKEN = 64 * 1024  # characters
_READ, _WRITE = 1, 2  # bits of a permission


class InvalidActionsToken(ImgError):
    """A runtime token of GitHub Actions that cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionsScope:
    """A part of a repository's cache, such as a branch, and what a token may do there."""

    name: str  # such as "refs/heads/main"
    can_read: bool
    can_write: bool


def scopes_of(token: str, now_s: float) -> tuple[ActionsScope, ...]:
    """Return the scopes that a token names; the service alone checks its signature.

    ``now_s`` is in seconds since 1970. Raises InvalidActionsToken.
    """
    claims = _claims(token)
    expires, begins = claims.get("exp"), claims.get("nbf")
    if isinstance(expires, int | float) and expires <= now_s:
        raise InvalidActionsToken("the token of GitHub Actions has expired")
    if isinstance(begins, int | float) and begins > now_s:
        raise InvalidActionsToken("the token of GitHub Actions is not valid yet")
    access = claims.get("ac")
    try:
        listed = parse_json(access) if isinstance(access, str) else None
    except InvalidJson:
        listed = None
    if not isinstance(listed, list):
        raise InvalidActionsToken("the token of GitHub Actions names no scopes (claim ac)")
    return tuple(scope for each in listed if (scope := _scope(each)) is not None)


def blob_key(digest: Digest) -> str:
    """Return the key of a blob's entry."""
    return f"buildkit-blob-1-{digest}"


def index_key(scope: str, github_scope: str, number: int | None = None) -> str:
    """Return the key of the index with a number, or what all keys of indexes begin with."""
    part = sha256(github_scope.encode()).hexdigest()[:8]
    return f"index-{scope}-1-{part}#{'' if number is None else number}"


def index_number(key: str) -> int:
    """Return the number of an index by its key, 0 if the key has none."""
    return parse_count(key.rpartition("#")[2]) or 0


def _claims(token: str) -> dict[str, object]:
    parts = token.split(".")
    try:
        if len(parts) != 3 or len(token) > _LONGEST_TOKEN:
            raise ValueError
        text = urlsafe_b64decode(parts[1].encode("ascii") + b"=" * (-len(parts[1]) % 4))
        claims = parse_json(text)
    except (InvalidJson, ValueError, binascii.Error):
        raise InvalidActionsToken("the token of GitHub Actions is no JSON Web Token") from None
    if not isinstance(claims, dict):
        raise InvalidActionsToken("the token of GitHub Actions is no JSON Web Token")
    return claims


def _scope(value: object) -> ActionsScope | None:
    match value:
        case {"Scope": str(name), "Permission": int(bits)}:
            return ActionsScope(
                name=name, can_read=bool(bits & _READ), can_write=bool(bits & _WRITE)
            )
    return None
