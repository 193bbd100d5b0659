"""A web server that does what a test tells it to, right or wrong."""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase

from tests.support.servers.in_thread import InThread


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request that arrived."""

    method: str
    path: str  # with the query
    headers: Message
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer; ``cut`` closes the connection after so many bytes of the body."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut: int | None = None


class ScriptedServer(InThread):
    """``with ScriptedServer(answer) as server: server.address``; ``requests`` is what came."""

    def __init__(
        self,
        answer: Callable[[Request], Answer],
        tls: ssl.SSLContext | None = None,
        refusing: int = 0,
        host: str = "127.0.0.1",
    ) -> None:
        """Serve with ``answer``; close the first ``refusing`` connections without one."""
        self.requests: list[Request] = []
        self._server: _QuietServer = _QuietServer((host, 0), _handler(answer, self.requests))
        self._server.refusing = refusing
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.address = f"{host}:{self._server.server_port}"

    def stop_refusing(self) -> None:
        """Answer from now on."""
        self._server.refusing = 0

    def asked(self, method: str, path: str) -> list[Request]:
        """Return the requests of ``method`` with a path that starts so."""
        return [r for r in self.requests if r.method == method and r.path.startswith(path)]


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True
    refusing = 0

    def verify_request(self, request: object, client_address: object) -> bool:
        self.refusing -= 1
        return self.refusing < 0

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients hang up when they please."""


def _body(headers: Message, stream: BufferedIOBase) -> bytes:
    """Read the body of a request, also one in chunks (RFC 9112, section 7.1)."""
    if headers.get("Transfer-Encoding") != "chunked":
        return stream.read(int(headers.get("Content-Length") or 0))
    chunks = []
    while size := int(stream.readline().partition(b";")[0], 16):
        chunks.append(stream.read(size))
        stream.readline()
    stream.readline()
    return b"".join(chunks)


def _handler(
    answer: Callable[[Request], Answer], requests: list[Request]
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            request = Request(
                method=self.command,
                path=self.path,
                headers=self.headers,
                body=_body(self.headers, self.rfile),
            )
            requests.append(request)
            self._send(answer(request))

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815  # http.server's

        def _send(self, reply: Answer) -> None:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if "Content-Length" not in reply.headers:
                self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body[: reply.cut])
            if reply.cut is not None:
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # http.server's
            pass

    return Handler
