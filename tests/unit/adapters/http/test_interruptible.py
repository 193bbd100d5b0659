"""Requests of cancelled work end at once, even if the server is silent."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from threading import Event

import pytest

from img.adapters.http.guarded_session import GuardedAdapter, GuardedSession, PeerGuard
from img.adapters.http.interruptible import interruptible
from img.application.cancellation import StepCanceled, cancelled_by, pause

_AT_ONCE_S = 5.0  # far less than the timeouts of requests
_WAIT_S = 60.0
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
_MANY = b"x" * (64 << 20)  # more than the buffers of a connection


@contextlib.contextmanager
def _silent_server(sent: bytes, reached: Event, *, reads: bool = True) -> Iterator[str]:
    """Send these bytes on the first connection and then nothing; give the server's URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    ended = Event()

    def serve() -> None:
        client, _ = listener.accept()
        with client:
            if reads:
                client.recv(1 << 16)
            client.sendall(sent)
            reached.set()
            ended.wait(_WAIT_S)

    thread = threading.Thread(target=serve, daemon=True)
    with listener:
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        ended.set()
        thread.join(_WAIT_S)


def _session(url: str) -> GuardedSession:
    session = GuardedSession({})
    session.mount("http://", GuardedAdapter(PeerGuard.of_url(url)))
    return session


@pytest.mark.parametrize(
    ("sent", "body", "reads"),
    [
        (b"", b"", True),
        (b"HTTP/1.1 200", b"", True),
        (_HEAD, b"", True),
        (_HEAD + b"half", b"", True),
        (b"", _MANY, False),
    ],
    ids=["no response", "half a head", "no body", "half a body", "an upload that is not read"],
)
def test_a_request_ends_when_its_work_is_cancelled(sent: bytes, body: bytes, reads: bool) -> None:
    reached, cancelled = Event(), Event()
    with _silent_server(sent, reached, reads=reads) as url:

        def cancel() -> None:
            assert reached.wait(_WAIT_S)
            cancelled.set()

        canceller = threading.Thread(target=cancel)
        canceller.start()
        began = time.monotonic()
        with cancelled_by(cancelled), pytest.raises(StepCanceled):
            _session(url).request("PUT", url, data=body, timeout=_WAIT_S)
        canceller.join(_WAIT_S)

        assert time.monotonic() - began < _AT_ONCE_S


def test_work_that_is_not_cancelled_gets_its_response() -> None:
    with _silent_server(_HEAD + b"k" * 100, Event()) as url, cancelled_by(Event()):
        assert _session(url).get(url, timeout=_WAIT_S).content == b"k" * 100


def test_a_server_that_stops_is_an_error_after_the_timeout_also_with_a_cancellation() -> None:
    with (
        _silent_server(_HEAD, Event()) as url,
        cancelled_by(Event()),
        pytest.raises(OSError, match="timed out"),
    ):
        _session(url).get(url, timeout=0.3)


def test_cancelled_work_sends_no_further_request() -> None:
    cancelled = Event()
    cancelled.set()
    called: list[int] = []

    with cancelled_by(cancelled), pytest.raises(StepCanceled):
        interruptible(lambda: called.append(1), lambda _: None)

    assert not called


def test_a_response_that_comes_too_late_is_discarded() -> None:
    begun, answered, cancelled, discarded = Event(), Event(), Event(), Event()

    def call() -> str:
        begun.set()
        cancelled.set()
        assert answered.wait(_WAIT_S)
        return "response"

    with cancelled_by(cancelled), pytest.raises(StepCanceled):
        _begin(call, discarded)
    assert begun.is_set()
    answered.set()

    assert discarded.wait(_WAIT_S)


def _begin(call: Callable[[], str], discarded: Event) -> None:
    interruptible(call, lambda response: discarded.set() if response == "response" else None)


def test_an_error_of_a_call_is_that_of_the_caller() -> None:
    def fail() -> None:
        raise ValueError("broken")

    with cancelled_by(Event()), pytest.raises(ValueError, match="broken"):
        interruptible(fail, lambda _: None)


def test_a_pause_before_another_try_ends_when_its_work_is_cancelled() -> None:
    cancelled = Event()
    threading.Timer(0.05, cancelled.set).start()

    with cancelled_by(cancelled), pytest.raises(StepCanceled):
        pause(_WAIT_S)
