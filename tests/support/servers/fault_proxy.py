"""A proxy between img and a registry that does wrong what a test wants done wrong, and counts."""

import contextlib
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol

_BLOCK = 64 * 1024
_HANG_S = 5.0  # after it, the connection of a stalled answer is closed
_TLS = b"\x16\x03"  # how a client that speaks https begins
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset


@dataclass(slots=True, kw_only=True)
class Exchange:
    """A request and what came of it; the counts are of bytes of the bodies that were passed on."""

    method: str
    path: str  # with the query
    headers: dict[str, str]  # by names in lower case
    fault: str = ""
    status: int = 0
    sent: int = 0  # to the registry
    received: int = 0  # by the client


class Fault(Protocol):
    """A fault in one request; its repr is for the messages of tests."""

    def __call__(self, line: "Line") -> None:
        """Answer the request, or let ``line.forward`` do it."""


Choose = Callable[[Exchange], Fault | None]
"""Returns what is to go wrong with a request, None for nothing."""


def no_fault(_exchange: Exchange) -> Fault | None:
    return None


class FaultProxy:
    """``with FaultProxy(upstream) as proxy: proxy.address``; ``proxy.choose`` may change."""

    def __init__(self, upstream: str, choose: Choose = no_fault) -> None:
        host, _, port = upstream.partition(":")
        self._upstream = (host, int(port))
        self.choose = choose
        self.exchanges: list[Exchange] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._clients: set[socket.socket] = set()

    def __enter__(self) -> "FaultProxy":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.close()
        for client in list(self._clients):
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def bytes_received(self, part_of_path: str) -> int:
        """Return the number of bytes of answers to GET that went to clients."""
        return sum(
            each.received
            for each in self.exchanges
            if each.method == "GET" and part_of_path in each.path
        )

    def bytes_sent(self, part_of_path: str = "") -> int:
        """Return the number of bytes of uploads that went to the registry."""
        return sum(
            each.sent
            for each in self.exchanges
            if each.method in {"PUT", "PATCH"} and part_of_path in each.path
        )

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._clients.add(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            with client, contextlib.suppress(OSError):
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._serve_one(client)  # a proxy that breaks connections does not share them
        finally:
            self._clients.discard(client)

    def _serve_one(self, client: socket.socket) -> None:
        head, rest = _read_head(client)
        if b" HTTP/1." not in head:
            client.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        exchange = Exchange(method=method, path=path, headers=headers)
        line_ = Line(client=client, upstream=self._upstream, exchange=exchange, ready=rest)
        fault = self.choose(exchange)
        self.exchanges.append(exchange)
        if fault is None:
            line_.forward()
        else:
            exchange.fault = repr(fault)
            fault(line_)


@dataclass(slots=True, kw_only=True)
class Line:
    """Both ends of one request."""

    client: socket.socket
    upstream: tuple[str, int]
    exchange: Exchange
    ready: bytes  # of the request's body
    _answer: bytes = field(default=b"", init=False)

    def forward(
        self,
        *,
        body_limit: int | None = None,
        answer_limit: int | None = None,
        change: Callable[[Mapping[str, str]], Mapping[str, str]] | None = None,
        alter: Callable[[int, bytes], bytes] | None = None,
        alter_up: Callable[[int, bytes], bytes] | None = None,
        pause_s: float = 0.0,
    ) -> None:
        """Pass the request on and the answer back, whole or as far as the limits say.

        ``answer_limit`` counts bytes of head and body. ``change`` returns the headers to send,
        ``alter`` other bytes for those at an offset of the body.
        """
        with socket.create_connection(self.upstream, timeout=_HANG_S) as server:
            if not self._send_request(server, body_limit, alter_up):
                server.shutdown(socket.SHUT_WR)
                while server.recv(_BLOCK):  # the client hears of it after the registry did
                    pass
                return
            head, rest = _read_head(server)
            if not head:
                return
            first, headers = _parsed(head)
            self.exchange.status = int(first.split(" ", 2)[1])
            headers = {**headers, "Connection": "close"}
            changed = headers if change is None else change(headers)
            left = self._say(head_of(first, changed), answer_limit)
            offset = 0
            while left is None or left > 0:
                data = rest or server.recv(_BLOCK)
                rest = b""
                if not data:
                    return
                if alter is not None:
                    data = alter(offset, data)
                if pause_s:
                    time.sleep(pause_s)
                before = left
                left = self._say(data, left)
                passed = len(data) if before is None else min(len(data), before)
                offset += passed
                self.exchange.received += passed

    def say(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        """Answer in the registry's place; what was sent is read first, as by servers that do."""
        self._drain_request()
        self.exchange.status = status
        first = f"HTTP/1.1 {status} Whatever"
        self.client.sendall(
            head_of(first, {"Content-Length": str(len(body)), "Connection": "close", **headers})
        )
        if self.exchange.method != "HEAD":
            self.client.sendall(body)

    def say_raw(self, data: bytes) -> None:
        """Answer with any bytes."""
        self._drain_request()
        self.client.sendall(data)

    def wait_for_hang_up(self) -> None:
        """Do nothing until the client had enough."""
        select.select([self.client], [], [], _HANG_S)

    def reset(self) -> None:
        """Close the connection in the rudest way."""
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    def _say(self, data: bytes, left: int | None) -> int | None:
        self.client.sendall(data if left is None else data[:left])
        return None if left is None else max(left - len(data), 0)

    def _send_request(
        self,
        server: socket.socket,
        limit: int | None,
        alter: Callable[[int, bytes], bytes] | None,
    ) -> bool:
        """Pass the request on; False if it was cut."""
        headers = {**self.exchange.headers, "connection": "close"}
        server.sendall(head_of(f"{self.exchange.method} {self.exchange.path} HTTP/1.1", headers))
        for data in self._body():
            sendable = data if limit is None else data[: max(limit - self.exchange.sent, 0)]
            if alter is not None:
                sendable = alter(self.exchange.sent, sendable)
            server.sendall(sendable)
            self.exchange.sent += len(sendable)
            if limit is not None and self.exchange.sent >= limit:
                return False
        return True

    def _body(self) -> "list[bytes] | _Body":
        size = int(self.exchange.headers.get("content-length", 0))
        return _Body(self.client, self.ready, size) if size else []

    def _drain_request(self) -> None:
        for _ in self._body():
            pass


class _Body:
    """The body of a request, in pieces."""

    def __init__(self, client: socket.socket, ready: bytes, size: int) -> None:
        self._client = client
        self._ready = ready[:size]
        self._left = size

    def __iter__(self) -> "_Body":
        return self

    def __next__(self) -> bytes:
        data = self._ready or (self._client.recv(min(_BLOCK, self._left)) if self._left else b"")
        self._ready = b""
        self._left -= len(data)
        if not data:
            raise StopIteration
        return data


def _read_head(source: socket.socket) -> tuple[bytes, bytes]:
    """Return a head without the empty line, and what came after it; nothing if it ended before."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = source.recv(_BLOCK)
        if not more or (data + more).startswith(_TLS):
            return b"", b""
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def _parsed(head: bytes) -> tuple[str, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return first, {name.strip(): value.strip() for name, _, value in pairs}


def head_of(first: str, headers: Mapping[str, str]) -> bytes:
    """Return the head of a request or an answer."""
    lines = [first, *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
