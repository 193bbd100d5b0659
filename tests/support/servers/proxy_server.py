"""An HTTP proxy that connects to this machine for every name."""

import base64
import contextlib
import http.client
import select
import socket
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import BinaryIO
from urllib.parse import urlsplit

from tests.support.servers.in_thread import InThread


class ProxyServer(InThread):
    """``with ProxyServer() as proxy: proxy.url``; ``lines`` are the requests that came.

    With ``login``, a name and a password, no other client is let through. ``ports`` are those of
    this machine for others that tunnels ask for.
    """

    def __init__(
        self, login: tuple[str, str] | None = None, ports: Mapping[int, int] | None = None
    ) -> None:
        self.lines: list[str] = []
        self._login = login
        self._server: ThreadingHTTPServer = ThreadingHTTPServer(
            ("127.0.0.1", 0), _handler(self.lines, login, ports or {})
        )
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """The value of HTTP_PROXY."""
        user = ":".join(self._login) + "@" if self._login else ""
        return f"http://{user}127.0.0.1:{self._server.server_port}"


class SocksServer:
    """``with SocksServer() as proxy: proxy.url``: a proxy of the SOCKS protocol, version 5.

    Every name is this machine; ``names`` are those that came. With ``login``, a name and a
    password, no other client is let through; ``status`` is its answer to all (RFC 1928, "Replies").
    """

    def __init__(self, login: tuple[str, str] | None = None, status: int = 0) -> None:
        self.names: list[str] = []
        self._login = login
        self._status = status
        self._listener = socket.create_server(("127.0.0.1", 0))

    @property
    def url(self) -> str:
        """The value of HTTPS_PROXY."""
        user = ":".join(self._login) + "@" if self._login else ""
        return f"socks5://{user}127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> "SocksServer":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, client.makefile("rb") as reader, contextlib.suppress(OSError, IndexError):
            methods = reader.read(reader.read(2)[1])
            method = 2 if self._login else 0
            client.sendall(bytes([5, method if method in methods else 255]))
            if method not in methods or (self._login and not self._is_known(client, reader)):
                return
            kind = reader.read(4)[3]
            name = reader.read({1: 4, 4: 16}.get(kind) or reader.read(1)[0])
            self.names.append(name.decode() if kind == 3 else name.hex())
            port = int.from_bytes(reader.read(2), "big")
            client.sendall(bytes([5, self._status, 0, 1, 0, 0, 0, 0, 0, 0]))
            if not self._status:
                with socket.create_connection(("127.0.0.1", port)) as there:
                    _join(client, there)

    def _is_known(self, client: socket.socket, reader: BinaryIO) -> bool:
        name = reader.read(reader.read(2)[1]).decode()
        is_known = (name, reader.read(reader.read(1)[0]).decode()) == self._login
        client.sendall(bytes([1, not is_known]))
        return is_known


def _handler(
    lines: list[str], login: tuple[str, str] | None, ports: Mapping[int, int]
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            lines.append(f"{self.command} {self.path}")
            if not self._may_pass():
                self.send_error(407)
                return
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {k: v for k, v in self.headers.items() if not k.startswith("Proxy-")}
            connection = http.client.HTTPConnection("127.0.0.1", parts.port or 80, timeout=10)
            path = self.path.partition(parts.netloc)[2]
            connection.request(self.command, path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in {"transfer-encoding", "connection"}:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)
            connection.close()

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = handle_any  # noqa: N815  # http.server's

        def do_CONNECT(self) -> None:  # http.server's
            lines.append(f"CONNECT {self.path}")
            if not self._may_pass():
                self.send_error(407)
                return
            asked = int(self.path.rpartition(":")[2])
            port = ports.get(asked, asked)
            with socket.create_connection(("127.0.0.1", port)) as there:
                self.send_response(200)
                self.end_headers()
                _join(self.connection, there)
            self.close_connection = True

        def _may_pass(self) -> bool:
            if login is None:
                return True
            proof = base64.b64encode(":".join(login).encode()).decode()
            return self.headers.get("Proxy-Authorization") == f"Basic {proof}"

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # http.server's
            pass

    return Handler


def _join(one: socket.socket, other: socket.socket) -> None:
    """Hand on what comes, until one of them ends."""
    pairs = {one: other, other: one}
    with contextlib.suppress(OSError):
        while True:
            for source in select.select(list(pairs), [], [], 10.0)[0]:
                if not (data := source.recv(1 << 16)):
                    return
                pairs[source].sendall(data)
