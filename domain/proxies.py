"""The proxy of a request, by the rules of Go programs (golang.org/x/net/http/httpproxy).

So docker and img use the same proxies on one machine. Both ignore ALL_PROXY.
"""

import ipaddress
import re
from collections.abc import Mapping

from img.domain.address_class import AddressClass
from img.domain.dataclass import dataclass
from img.domain.errors import UsageError
from img.domain.url import Url, redact_credentials

_SCHEMES = ("http", "https", "socks5", "socks5h")
_PORTS = {"http": 80, "https": 443}
_LAST_PORT = 65535
_PORT = re.compile(r"(.*):([0-9]*)")
_PLACE = re.compile(r"(?:\[([^\[\]]+)\]|([^:\[\]]+))(?::([0-9]{0,5}))?")

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class _Host:
    """A host without proxy, and its subdomains if it is a name; for one port, or for all ports."""

    name: str = ""  # ".example.com": only the subdomains
    address: _Address | None = None
    port: int | None = None

    def covers(self, name: str, address: _Address | None, port: int | None) -> bool:
        """Return whether a host and port need no proxy by this entry."""
        if self.port not in (None, port):
            return False
        if address is not None or self.address is not None:
            return address == self.address
        return name == self.name or name.endswith("." + self.name.removeprefix("."))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyRules:
    """The rules of HTTP_PROXY, HTTPS_PROXY and NO_PROXY, or of their lower-case names."""

    http: str = ""  # a URL, or a host alone; "" for none
    https: str = ""
    everything: bool = False  # needs no proxy
    networks: tuple[_Network, ...] = ()  # need none
    hosts: tuple[_Host, ...] = ()  # need none

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "ProxyRules":
        """Return the rules of an environment."""

        def value(name: str) -> str:
            return environment.get(name) or environment.get(name.lower(), "")

        entries = [entry.strip().lower() for entry in value("NO_PROXY").split(",")]
        parsed = [_network(entry) or _host(entry) for entry in entries]
        # A server's HTTP_PROXY may come from a client's header "Proxy" (golang.org/s/cgihttpproxy).
        is_cgi = bool(environment.get("REQUEST_METHOD"))
        return cls(
            http="" if is_cgi else value("HTTP_PROXY"),
            https=value("HTTPS_PROXY"),
            everything="*" in entries,
            networks=tuple(each for each in parsed if isinstance(each, _Network)),
            hosts=tuple(each for each in parsed if isinstance(each, _Host)),
        )

    def proxy_for(self, url: str) -> str:
        """Return the URL of the proxy for a request to ``url``, "" for none.

        Requests to this machine use no proxy. Raises UsageError for an invalid proxy.
        """
        place = _place(url)
        if place is None:  # the request itself will report the error
            return ""
        scheme, host, port = place
        proxy = {"http": self.http, "https": self.https}.get(scheme, "")
        return _url_of(proxy) if proxy and not self._is_direct(host, port) else ""

    def _is_direct(self, host: str, port: int | None) -> bool:
        if self.everything or AddressClass.of_name(host) is AddressClass.LOOPBACK:
            return True
        address = _address(host)
        if address is not None and any(address in network for network in self.networks):
            return True
        return any(each.covers(host, address, port) for each in self.hosts)


def _url_of(text: str) -> str:
    """Return the URL of a proxy; a host alone gets the scheme http. Raises UsageError."""
    url = text if "://" in text else f"http://{text}"
    place = _place(url)
    if place is None or place[0] not in _SCHEMES or not url.isprintable() or " " in url:
        raise UsageError(
            f"HTTP_PROXY or HTTPS_PROXY names no proxy: {redact_credentials(url)!r}",
            hint=", ".join(f"{scheme}://HOST:PORT" for scheme in _SCHEMES),
        )
    return url


def _place(url: str) -> tuple[str, str, int | None] | None:
    """Return the scheme, host and port of a URL; None without a host, or with an invalid port."""
    parsed = Url.parse(url)
    found = _PLACE.fullmatch(parsed.host) if parsed else None
    if parsed is None or found is None or int(found[3] or 0) > _LAST_PORT:
        return None
    port = int(found[3]) if found[3] else _PORTS.get(parsed.scheme)
    return parsed.scheme, _ascii(found[1] or found[2]), port


def _network(entry: str) -> _Network | None:
    """Return the network of an entry such as 10.0.0.0/8, None for another entry."""
    if "/" not in entry:
        return None
    try:
        return ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return None


def _host(entry: str) -> _Host | None:
    """Return the host of an entry, None if it holds none."""
    name, port = entry, None
    found = _PORT.fullmatch(entry)
    if found and (":" not in found[1] or (found[1][:1], found[1][-1:]) == ("[", "]")):
        name = found[1]
        port = int(found[2]) if found[2] and len(found[2]) <= 5 else None
        if found[2] and port is None:
            return None
    name = name.removeprefix("[").removesuffix("]") if name.startswith("[") else name
    address = _address(name)
    if address is not None:
        return _Host(address=address, port=port)
    name = _ascii(name.removeprefix("*") if name.startswith("*.") else name)
    return _Host(name=name, port=port) if name.strip(".") else None


def _address(text: str) -> _Address | None:
    """Return the IP address in ``text``; an IPv4 address in IPv6 form becomes IPv4."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _ascii(name: str) -> str:
    """Return a host name in the form of DNS queries."""
    name = name.lower()
    if name.isascii():
        return name
    try:
        return name.encode("idna").decode()
    except UnicodeError:
        return name
