"""Checks of the URLs that a registry redirects to."""

from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

from img.application.ports.registry import RegistryError
from img.domain.address_class import AddressClass

_LONGEST_URL = 8000  # characters; RFC 9110, "URI References", recommends at least as many
_DEFAULT_PORTS = {"http": 80, "https": 443}


def is_loopback(host: str) -> bool:
    """Tell whether ``host``, with or without a port, is this machine."""
    return AddressClass.of_name(_host_name(host)) is AddressClass.LOOPBACK


def is_same_host(url: str, host: str, scheme: str) -> bool:
    """Tell whether ``url`` leads to ``host`` by ``scheme``: the same name and the same port."""
    try:
        parts, ours = urlsplit(url), urlsplit(f"//{host}")
        default = _DEFAULT_PORTS.get(scheme)
        return (parts.scheme, parts.hostname, parts.port or default) == (
            scheme,
            ours.hostname,
            ours.port or default,
        )
    except ValueError:  # an invalid URL, or an invalid port
        return False


def followed(location: str, base: str, *, host: str, scheme: str) -> str:
    """Return the URL of a header of the registry at ``host``, relative to ``base``.

    On the registry's own host the scheme becomes https if the registry uses that: behind a proxy
    that ends TLS the registry does not know. The fragment is removed: it is not sent to servers,
    and parameters that are appended later would become part of it. Raises RegistryError as
    ``checked``.
    """
    try:
        url = urlsplit(urljoin(base, location))._replace(fragment="")
        if scheme == "https" and url.hostname == urlsplit(f"//{host}").hostname:
            url = url._replace(scheme="https")
    except ValueError:
        raise _invalid_url(host, location) from None
    return checked(urlunsplit(url), host=host, scheme=scheme)


def checked(url: str, *, host: str, scheme: str) -> str:
    """Return ``url``, a redirect of the registry at ``host``, if it may be followed.

    A registry that uses https must not redirect to plain http, where a password could be read. The
    address of the host is checked when the connection is made. Raises RegistryError.
    """
    parts = _split(url, host)
    if parts.scheme not in {"https", scheme} or not parts.hostname:
        raise RegistryError(f"registry {host} sends us to {url}, which is not https")
    return url


def _split(url: str, host: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # the port is only parsed when it is read
    except ValueError:
        raise _invalid_url(host, url) from None
    if len(url) > _LONGEST_URL or not url.isprintable() or " " in url:
        raise _invalid_url(host, url)
    return parts


def _invalid_url(host: str, url: str) -> RegistryError:
    return RegistryError(f"registry {host} sends us to {url[:200]!r}, which is no URL")


def _host_name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
