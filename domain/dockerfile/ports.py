"""The ports of EXPOSE (BuildKit frontend/dockerfile/dockerfile2llb/convert_expose.go)."""

import re
from collections.abc import Iterable

from img.domain.errors import DockerfileError
from img.domain.go.formatting import quoted

_PROTOCOLS = frozenset({"tcp", "udp", "sctp"})
_LARGEST_PORT = 65535


class BadPort(DockerfileError):
    """A word of EXPOSE that is not a port."""


def parse_ports(words: Iterable[str], lines: tuple[int, int] | None = None) -> tuple[str, ...]:
    """Return keys of Config.ExposedPorts, ``80/tcp``, in the order of ``words``. Raises BadPort.

    The host and address of the legacy form ``ip:host:port`` are checked and dropped.
    """
    try:
        return tuple(port for word in words for port in _ports(word))
    except BadPort as error:
        raise BadPort(error.message, lines=lines) from None


def _ports(word: str) -> list[str]:
    address, host, container = _split(word)
    container, _, protocol = container.partition("/")
    if not container:
        raise BadPort(f"invalid port: {quoted(word)}: no port specified")
    protocol = protocol or "tcp"
    if protocol.lower() not in _PROTOCOLS:
        raise BadPort(f"invalid port: {quoted(word)}: invalid proto: {protocol}")
    if address and not _is_address(address):
        raise BadPort(f"invalid IP address: {address}")
    first, last = _range(container, "containerPort")
    if host:
        _check_host(host, container, (first, last))
    return [f"{port}/{protocol.lower()}" for port in range(first, last + 1)]


def _split(text: str) -> tuple[str, str, str]:
    """Return the address, host port and container port; only the last is required."""
    parts = text.rsplit(":", 2)
    address, host, container = ["", ""][: 3 - len(parts)] + parts
    if address.startswith("[") and address.endswith("]"):
        address = address[1:-1]
    return address, host, container


def _range(text: str, what: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    start, end = _number(first, text, what), _number(last if dash else first, text, what)
    if start > end:
        raise BadPort(f"invalid {what}: {text}")
    return start, end


def _number(text: str, whole: str, what: str) -> int:
    if not re.fullmatch(r"\+?[0-9]{1,40}", text) or int(text) > _LARGEST_PORT:
        raise BadPort(f"invalid {what}: {whole}")
    return int(text)


def _check_host(host: str, container: str, ports: tuple[int, int]) -> None:
    """Check the host ports: a range needs a host range of its size; one port may have a range."""
    start, end = _range(host, "hostPort")
    if ports[0] != ports[1] and end - start != ports[1] - ports[0]:
        raise BadPort(
            f"invalid ranges specified for container and host Ports: {container} and {host}"
        )


def _is_address(text: str) -> bool:
    from ipaddress import ip_address  # slow to import, and seldom needed

    try:
        ip_address(text)
        return "%" not in text
    except ValueError:
        return False
