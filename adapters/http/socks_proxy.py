"""Connections through a SOCKS proxy (RFC 1928), with a login if it requires one (RFC 1929).

The proxy looks up names, as with Go's client, for URLs with socks5 and with socks5h.
"""

import ipaddress
import socket
import struct
from typing import Any
from urllib.parse import unquote, urlsplit

import urllib3
from urllib3.exceptions import ConnectTimeoutError, ProxyError
from urllib3.util.connection import create_connection

_PORT = 1080
_VERSION, _LOGIN_VERSION = 5, 1
_NO_LOGIN, _LOGIN, _NO_WAY = 0, 2, 255
_CONNECT = 1
_IPV4, _NAME, _IPV6 = 1, 3, 4
_REASONS = {
    1: "general failure",
    2: "not allowed",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "expired",
    7: "command not supported",
    8: "kind of address not supported",
}


class SocksError(OSError):
    """A proxy that refuses the connection, or uses another protocol."""


def pools_through(proxy: str, **options: Any) -> urllib3.PoolManager:
    """Return a pool manager that connects through the proxy at a ``socks5`` URL."""
    manager = urllib3.PoolManager(**options)
    classes: dict[str, Any] = dict(manager.pool_classes_by_scheme)
    manager.pool_classes_by_scheme = {
        scheme: _pool_through(pool, proxy) for scheme, pool in classes.items()
    }
    return manager


def _pool_through(pool: Any, proxy: str) -> Any:
    class Connection(pool.ConnectionCls):  # type: ignore[misc]  # a class of the caller's
        def _new_conn(self) -> socket.socket:
            return _connected(self, proxy)

    return type(pool.__name__, (pool,), {"ConnectionCls": Connection})


def _connected(connection: Any, proxy: str) -> socket.socket:
    """Return a socket to the destination of ``connection``. Raises ProxyError."""
    parts = urlsplit(proxy)
    place = (parts.hostname or "", parts.port or _PORT)
    login = (unquote(parts.username or "").encode(), unquote(parts.password or "").encode())
    try:
        there: socket.socket = create_connection(place, connection.timeout)
    except TimeoutError as error:
        raise ConnectTimeoutError(connection, "connection timed out") from error
    except OSError as error:
        raise ProxyError("cannot connect to the proxy", error) from error
    try:
        connect(there, connection.host, connection.port, login)
    except OSError as error:
        there.close()
        raise ProxyError("the proxy does not connect us", error) from error
    except BaseException:
        there.close()
        raise
    return there


def connect(there: socket.socket, host: str, port: int, login: tuple[bytes, bytes]) -> None:
    """Ask the proxy at ``there`` to connect to a host. Raises OSError."""
    name, password = login
    methods = bytes([_NO_LOGIN, _LOGIN] if name else [_NO_LOGIN])
    there.sendall(bytes([_VERSION, len(methods)]) + methods)
    version, method = _received(there, 2)
    if version != _VERSION:
        raise SocksError("the proxy does not speak SOCKS 5")
    if method == _LOGIN and name:
        _log_in(there, name, password)
    elif method != _NO_LOGIN:
        raise SocksError("the proxy wants a login" if method == _NO_WAY else "an unknown login")
    there.sendall(bytes([_VERSION, _CONNECT, 0]) + _address(host) + struct.pack("!H", port))
    _, status, _, kind = _received(there, 4)
    if status:
        raise SocksError(_REASONS.get(status, f"reply {status}"))
    # The address that the proxy connects from, which is not used.
    sizes = {_IPV4: 4, _IPV6: 16}
    _received(there, sizes[kind] if kind in sizes else _received(there, 1)[0])
    _received(there, 2)


def _log_in(there: socket.socket, name: bytes, password: bytes) -> None:
    if max(len(name), len(password)) > 255:
        raise SocksError("the name or password of the proxy is too long")
    there.sendall(bytes([_LOGIN_VERSION, len(name)]) + name + bytes([len(password)]) + password)
    if _received(there, 2)[1]:
        raise SocksError("the proxy refuses the name or password")


def _address(host: str) -> bytes:
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        name = host.encode("utf-8", "replace")  # urllib3 has encoded it as ASCII
        if len(name) > 255:
            raise SocksError("the host's name is too long") from None
        return bytes([_NAME, len(name)]) + name
    return bytes([_IPV4 if address.version == 4 else _IPV6]) + address.packed


def _received(there: socket.socket, size: int) -> bytes:
    """Receive exactly ``size`` bytes."""
    data = b""
    while len(data) < size:
        if not (more := there.recv(size - len(data))):
            raise SocksError("the proxy hangs up")
        data += more
    return data
