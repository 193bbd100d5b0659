"""A world of hosts in this process: names have addresses, and one server stands for each of them.

All data that is sent to a host is recorded, for each sender and library.
"""

import contextlib
import ipaddress
import socket
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_RECEIVED = 1 << 16  # bytes of a connection that are looked at
_PATIENCE_S = 2.0


class ConnectionsWatch:
    """Names and addresses of a world that there is not; ``routes`` lead to servers that there are.

    All other addresses are answered by nobody: what is sent there is kept in ``sent``, with the
    address. A socket reports a connection to the requested address.
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names
        self.routes: dict[tuple[str, int], int] = {}  # to ports of this machine
        self.sent: list[tuple[str, bytes]] = []
        self._peers: weakref.WeakKeyDictionary[socket.socket, tuple[str, int]]
        self._peers = weakref.WeakKeyDictionary()
        self._addresses: dict[int, str] = {}  # by the port that a connection comes from
        self._sink = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        with contextlib.suppress(OSError):
            self._sink.shutdown(socket.SHUT_RDWR)
        self._sink.close()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Be the network in here. Nothing else of this process may use it meanwhile."""
        self.sent.clear()
        changed: dict[tuple[Any, str], Any] = {
            (socket, "getaddrinfo"): self._resolving(socket.getaddrinfo),
            (socket.socket, "connect"): self._connecting(socket.socket.connect),
            (socket.socket, "getpeername"): self._telling(socket.socket.getpeername),
        }
        before = {key: getattr(*key) for key in changed}
        for (owner, name), function in changed.items():
            setattr(owner, name, function)
        try:
            yield
        finally:
            for (owner, name), function in before.items():
                setattr(owner, name, function)

    def _resolving(self, resolve: Callable[..., Any]) -> Callable[..., Any]:
        def resolved(
            host: Any,
            port: Any,
            family: int = 0,
            type: int = 0,  # noqa: A002  # as in the socket module
            proto: int = 0,
            flags: int = 0,
        ) -> Any:
            text = host.decode() if isinstance(host, bytes) else str(host)
            address = self._names.get(text.lower(), text)
            return resolve(address, port, family, type, proto, flags | socket.AI_NUMERICHOST)

        return resolved

    def _connecting(self, connect: Callable[..., Any]) -> Callable[..., Any]:
        def connected(one: socket.socket, address: Any) -> Any:
            if one.family == socket.AF_UNIX:
                return connect(one, address)
            place = (str(address[0]), int(address[1]))
            self._peers[one] = place
            here = "::ffff:127.0.0.1" if one.family == socket.AF_INET6 else "127.0.0.1"
            port = self.routes.get(place)
            if port is None:  # no server is there
                one.bind((here, 0))
                self._addresses[one.getsockname()[1]] = place[0]
                port = self._sink.getsockname()[1]
            return connect(one, (here, port))

        return connected

    def _telling(self, tell: Callable[..., Any]) -> Callable[..., Any]:
        def told(one: socket.socket) -> Any:
            return self._peers.get(one) or tell(one)

        return told

    def _accept(self) -> None:
        while True:
            try:
                connection, (_, port) = self._sink.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(_PATIENCE_S)
                with contextlib.suppress(OSError):
                    if data := connection.recv(_RECEIVED):
                        self.sent.append((self._addresses.get(port, "?"), data))


def distance(address: str) -> int:
    """Return the distance of an address: 0 this machine, 1 its link, 2 its networks, 3 the rest."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(parsed, "ipv4_mapped", None) or parsed
    if mapped.is_loopback or mapped.is_unspecified:
        return 0
    if mapped.is_link_local:
        return 1
    return 3 if mapped.is_global else 2
