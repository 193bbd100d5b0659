"""Answers that are announced, dragged out, or no HTTP."""

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import requests

from img.adapters.http.guarded_session import GuardedAdapter, GuardedSession, PeerGuard

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_INTERIM = b"HTTP/1.1 %d x\r\nLink: </style.css>; rel=preload\r\n\r\n"
_TIMEOUT_S = 0.4


@contextlib.contextmanager
def _serving(speak: Callable[[], Iterator[bytes]], pause_s: float = 0.0) -> Iterator[str]:
    """Answer each connection's first request with these bytes; give the server's URL."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            client.recv(1 << 16)
            for piece in speak():
                client.sendall(piece)
                time.sleep(pause_s)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def _got(url: str, timeout: float = 5.0) -> bytes:
    session = GuardedSession({})
    session.mount("http://", GuardedAdapter(PeerGuard.of_url(url)))
    return session.get(url, timeout=timeout).content


@pytest.mark.parametrize("statuses", [(100,), (102,), (103,), (100, 102, 103), (199,) * 15])
def test_interim_answers_are_passed_over(statuses: tuple[int, ...]) -> None:
    with _serving(lambda: iter([*(_INTERIM % status for status in statuses), _OK])) as url:
        assert _got(url) == b"ok"


@pytest.mark.parametrize("status", [100, 103])
def test_interim_answers_without_end_are_an_error(status: int) -> None:
    with (
        _serving(lambda: itertools.repeat(_INTERIM % status)) as url,
        pytest.raises(requests.ConnectionError, match="without end"),
    ):
        _got(url)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\n" + b"X-Header: 1\r\n" * 90,
        _OK.replace(b"2\r\n", b"300\r\n") + b"k" * 298,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nk\r\n" * 300,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 15 + _OK,
    ],
    ids=["head", "body", "chunks", "interim"],
)
def test_an_answer_that_is_dragged_out_is_none(answer: bytes) -> None:
    began = time.monotonic()
    with (
        _serving(lambda: (answer[i : i + 1] for i in range(len(answer))), pause_s=0.05) as url,
        pytest.raises(requests.exceptions.RequestException, match=r"timed out|too slowly"),
    ):
        _got(url, timeout=_TIMEOUT_S)

    assert time.monotonic() - began < 10 * _TIMEOUT_S


def test_a_long_answer_may_take_longer_than_one_wait() -> None:
    body = bytes(64 << 10) * 8
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    pieces = [head, *(body[i : i + (64 << 10)] for i in range(0, len(body), 64 << 10))]

    with _serving(lambda: iter(pieces), pause_s=_TIMEOUT_S / 4) as url:
        assert _got(url, timeout=_TIMEOUT_S) == body


def test_a_server_may_take_a_body_more_slowly_than_a_connection() -> None:
    body = bytes(16 << 20)  # more than the system's buffers hold
    listener = socket.create_server(("127.0.0.1", 0))
    received = 0

    def serve() -> None:
        nonlocal received
        client, _ = listener.accept()
        with client:
            time.sleep(3 * _TIMEOUT_S)
            while received < len(body):
                received += len(client.recv(1 << 20))
            client.sendall(_OK)

    with listener:
        threading.Thread(target=serve, daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        session = GuardedSession({})
        session.mount("http://", GuardedAdapter(PeerGuard.of_url(url)))
        answer = session.put(url, data=body, timeout=(_TIMEOUT_S, 10.0))

    assert answer.content == b"ok"
    assert received >= len(body)
