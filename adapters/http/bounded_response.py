"""Responses of http.client with bounded waiting times, against servers that send slowly."""

import io
import math
import time
from http.client import BadStatusLine, HTTPResponse, parse_headers
from socket import socket
from typing import TYPE_CHECKING, Any

from img.application.cancellation import POLL_S, StepCanceled, current_cancellation

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

STEP = 64 * 1024  # bytes that may take as long as one wait for an answer

_MOST_INTERIM = 20  # responses before the final one (RFC 9110, "Informational 1xx")
_SWITCHING_PROTOCOLS = 101  # ends HTTP on this connection; no client here requests it


class BoundedResponse(HTTPResponse):
    """A response of a server, with a limit of the time for its head and each 64 KiB of its body.

    That limit is the timeout of one wait. With http.client each single byte may take that long.
    Also limits the number of interim responses, of which http.client skips any number of 100s, and
    no other ones.
    """

    def __init__(self, sock: socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        steady = _SteadyReader(sock)
        self.fp = io.BufferedReader(steady)

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(_MOST_INTERIM):
            version, status, reason = super()._read_status()  # type: ignore[misc]  # not in typeshed
            if not 100 <= status < 200 or status == _SWITCHING_PROTOCOLS:
                return version, status, reason
            parse_headers(self.fp)
        raise BadStatusLine("interim answers without end")


class _SteadyReader(io.RawIOBase):
    """A reader of a socket.

    Raises TimeoutError if the waits for 64 KiB together take too long, StepCanceled once the
    cancellation of the thread is set.
    """

    def __init__(self, sock: socket) -> None:
        self._sock = sock
        self._timeout_s = sock.gettimeout()
        self._held = sock.makefile("rb", buffering=0)  # the socket stays open until it is closed
        self._limit_s = math.inf if self._timeout_s is None else self._timeout_s
        self._count = 0
        self._waited_s = 0.0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        began = time.monotonic()
        count = self._received(buffer, began + self._limit_s)
        self._waited_s += time.monotonic() - began
        self._count += count
        if self._count >= STEP:
            self._count, self._waited_s = 0, 0.0
        elif self._waited_s > self._limit_s:
            raise TimeoutError("the answer comes too slowly")
        return count

    def close(self) -> None:
        if not self.closed:
            self._held.close()
        super().close()

    def _received(self, buffer: "WriteableBuffer", end_s: float) -> int:
        cancellation = current_cancellation()
        if cancellation is None:
            return self._sock.recv_into(buffer)
        # A read that has timed out can be repeated, also with TLS; not so that of makefile().
        self._sock.settimeout(POLL_S)
        try:
            while not cancellation.is_set():
                try:
                    return self._sock.recv_into(buffer)
                except TimeoutError:
                    if time.monotonic() >= end_s:
                        raise
        finally:
            self._sock.settimeout(self._timeout_s)
        raise StepCanceled
