"""Spellings of URLs by which the patterns of a policy could be avoided."""

import re

from img.domain.url import unescaped

_URL = r"(?s)(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<rest>.*)"
_PORTS = {"http": ("80",), "https": ("443",), "git": ("22", "80", "443", "9418")}


def plain_name(identifier: str) -> str:
    """Return a URL without credentials and default port, and with its host in lower case."""
    found = re.fullmatch(_URL, identifier)
    if found is None:
        return identifier
    scheme = found["scheme"].lower()
    host, colon, port = found["authority"].rpartition("@")[2].lower().partition(":")
    if not port or port in _PORTS.get(scheme, ()):
        colon = port = ""
    return f"{scheme}://{host.rstrip('.')}{colon}{port}{found['rest']}"


def climbs(identifier: str) -> bool:
    """Return whether the path of a URL has ``.`` or ``..``, which clients resolve."""
    found = re.fullmatch(_URL, identifier)
    path = re.split(r"[?#]", found["rest"])[0] if found else ""
    return any(part in (".", "..") for part in unescaped(path).split("/"))
