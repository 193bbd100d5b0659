"""Where requests may go."""

import ipaddress
from urllib.parse import urlsplit

from img.application.ports.registry import RegistryError


def is_loopback(host: str) -> bool:
    """Tell whether ``host``, with or without a port, is this machine."""
    name = (urlsplit(f"//{host}").hostname or "").lower()
    return name == "localhost" or name.endswith(".localhost") or _is_ip(name, "is_loopback")


def is_same_host(url: str, host: str) -> bool:
    """Tell whether ``url`` leads to ``host``: the same name and the same port."""
    parts = urlsplit(url)
    default = {"http": 80, "https": 443}.get(parts.scheme)
    ours = urlsplit(f"//{host}")
    try:
        return (parts.hostname, parts.port or default) == (ours.hostname, ours.port or default)
    except ValueError:  # a port that there cannot be
        return False


def checked(url: str, *, host: str, scheme: str) -> str:
    """Return ``url``, to which the registry at ``host`` sends us, if it may be followed.

    A registry must not send us, nor our password, over plain http where itself speaks https, or
    into the private network behind us. Raises RegistryError.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port  # which is looked at only when somebody asks
    except ValueError:
        raise RegistryError(f"registry {host} sends us to {url!r}, which is no URL") from None
    ours = urlsplit(f"//{host}").hostname
    is_foreign = parts.hostname != ours
    if parts.scheme not in {"https", scheme} or not parts.hostname:
        raise RegistryError(f"registry {host} sends us to {url}, which is not https")
    if is_foreign and _is_ip(parts.hostname, "is_private", "is_link_local", "is_loopback"):
        raise RegistryError(f"registry {host} sends us to {url}, which is a private address")
    return url


def _is_ip(name: str, *properties: str) -> bool:
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return any(getattr(address, wanted) for wanted in properties)
