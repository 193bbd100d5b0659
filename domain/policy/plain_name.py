"""Spellings of URLs and names of images by which the patterns of a policy could be avoided."""

import re

from img.domain.url import unescaped

_URL = r"(?s)(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<rest>.*)"
_IMAGE = "docker-image"
_PORTS = {
    "http": ("80",),
    "https": ("443",),
    "git": ("22", "80", "443", "9418"),
    _IMAGE: ("80", "443"),
}
_HUB, _HUB_SERVER = "docker.io", "registry-1.docker.io"


def plain_name(identifier: str) -> str:
    """Return a URL without credentials and default port, and with its host in lower case.

    The host of an image is its registry. Identifiers of other sources are returned unchanged.
    """
    found = re.fullmatch(_URL, identifier)
    scheme = found["scheme"].lower() if found else ""
    if found is None or scheme not in _PORTS:
        return identifier
    host, colon, port = found["authority"].rpartition("@")[2].lower().partition(":")
    if not port or port in _PORTS[scheme]:
        colon = port = ""
    host = host.rstrip(".")
    if scheme == _IMAGE and host == _HUB_SERVER:
        host = _HUB
    return f"{scheme}://{host}{colon}{port}{found['rest']}"


def plain_image_name(name: str) -> str:
    """Return the name of an image with the name of its registry as ``plain_name`` writes it."""
    return plain_name(f"{_IMAGE}://{name}").removeprefix(f"{_IMAGE}://")


def climbs(identifier: str) -> bool:
    """Return whether the path of a URL has ``.`` or ``..``, which clients resolve."""
    found = re.fullmatch(_URL, identifier)
    path = re.split(r"[?#]", found["rest"])[0] if found else ""
    return any(part in (".", "..") for part in unescaped(path).split("/"))
