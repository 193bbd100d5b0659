"""Files by http(s), with the library requests."""

import re
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import TYPE_CHECKING

from img.application.ports.executor import Cancellation
from img.application.ports.web import (
    InvalidStatus,
    WebAnswer,
    WebError,
    WebFetcher,
    WebRequest,
    WebTransferCanceled,
)
from img.domain.decimal_text import parse_count
from img.domain.url import Url, redact_credentials

if TYPE_CHECKING:
    import requests

_CHUNK = 256 << 10  # bytes
_AHEAD = 8  # chunks that wait for their reader
_POLL_S = 0.1  # seconds until a cancellation is noticed


class RequestsWebFetcher(WebFetcher):
    """Each transfer has its own thread, because a waiting socket cannot be interrupted."""

    @contextmanager
    def get(self, request: WebRequest, cancelled: Cancellation) -> Iterator[WebAnswer]:
        transfer = _Transfer(request)
        try:
            head = transfer.next(cancelled)
            assert isinstance(head, _Head)
            yield WebAnswer(
                content=transfer.chunks(cancelled),
                unchanged=head.unchanged,
                etag=head.etag,
                modified=head.modified,
                size=head.size,
            )
        finally:
            transfer.stop()


class _Head:
    """The headers of a response."""

    def __init__(self, response: "requests.Response", request: WebRequest) -> None:
        self.etag = response.headers.get("ETag", "").removeprefix("W/")
        # Some servers send everything again for a known ETag, some leave it out in their 304.
        self.unchanged = bool(request.etag) and (
            response.status_code == 304 or self.etag == request.etag
        )
        if self.unchanged:
            self.etag = request.etag
        self.modified = _seconds(response.headers.get("Last-Modified", ""))
        # With Content-Encoding the length is not that of the file.
        plain = "Content-Encoding" not in response.headers
        self.sent = parse_count(response.headers.get("Content-Length", ""))
        self.size = self.sent or 0 if plain else 0


_Message = _Head | bytes | Exception | None  # None: the end


class _Transfer:
    """One response, received by a thread that ends when it is done, stopped or timed out."""

    def __init__(self, request: WebRequest) -> None:
        self._request = request
        self._shown = redact_credentials(request.url)
        self._messages: Queue[_Message] = Queue(_AHEAD)
        self._stopped = Event()
        # A daemon: img need not wait for a server that does not answer.
        Thread(target=self._receive, name="download", daemon=True).start()

    def next(self, cancelled: Cancellation) -> _Head | bytes | None:
        """Return the next message; None at the end. Raises WebError."""
        while not cancelled.is_set():
            try:
                message = self._messages.get(timeout=_POLL_S)
            except Empty:
                continue
            if isinstance(message, Exception):
                raise message
            return message
        raise WebTransferCanceled

    def chunks(self, cancelled: Cancellation) -> Iterator[bytes]:
        while chunk := self.next(cancelled):
            assert isinstance(chunk, bytes)
            yield chunk

    def stop(self) -> None:
        self._stopped.set()

    def _receive(self) -> None:
        try:
            for message in self._received():
                if not self._tell(message):
                    return
        except Exception as error:  # unexpected ones too: otherwise the build would wait forever
            self._tell(error)
        else:
            self._tell(None)

    def _tell(self, message: _Message) -> bool:
        """Queue ``message``; return False if the transfer is stopped."""
        while not self._stopped.is_set():
            try:
                self._messages.put(message, timeout=_POLL_S)
            except Full:
                continue
            return True
        return False

    def _received(self) -> Iterator[_Head | bytes]:
        import requests
        from urllib3.exceptions import HTTPError

        from img.adapters.http.guarded_session import AddressNotAllowed
        from img.adapters.http.web_session import WebSession

        try:
            with (
                WebSession(self._request.url) as session,
                session.get(
                    self._request.url,
                    headers=_headers(self._request),
                    auth=_Authorization(self._request),
                    stream=True,
                ) as response,
            ):
                head = _Head(response, self._request)
                if not (200 <= response.status_code < 400) and not head.unchanged:
                    raise InvalidStatus(self._shown, response.status_code)
                yield head
                if not head.unchanged:
                    yield from response.iter_content(_CHUNK)
                    _check_length(response, head, self._shown)
        except AddressNotAllowed as error:
            raise WebError(f"{self._shown}: {error.message}", hint=error.hint) from None
        except (requests.RequestException, HTTPError, OSError, UnicodeError) as error:
            raise WebError(f"{self._shown}: {reason_of(error)}") from error


class _Authorization:
    """Sends the authorization of the request, and never that of ~/.netrc."""

    def __init__(self, request: WebRequest) -> None:
        url = Url.parse(request.url)
        basic = b64encode(url.user.encode()).decode() if url and url.user else ""
        self._value = request.authorization or (f"Basic {basic}" if basic else "")

    def __call__(self, request: "requests.PreparedRequest") -> "requests.PreparedRequest":
        if self._value:
            request.headers["Authorization"] = self._value
        return request


def reason_of(error: BaseException) -> str:
    """Return a short reason why a transfer failed."""
    causes = list(_causes(error))
    names = {type(cause).__name__ for cause in causes}
    if "SSLCertVerificationError" in names:
        cause = next(c for c in causes if type(c).__name__ == "SSLCertVerificationError")
        return f"the server is not to be trusted: {getattr(cause, 'verify_message', '')}"
    if names & {"ConnectTimeout", "ConnectTimeoutError"}:
        return "cannot be reached: connection timed out"
    if names & {"ReadTimeout", "ReadTimeoutError"}:
        return "the server does not answer in time"
    if "TooManyRedirects" in names:
        return "too many redirects"
    for cause in reversed(causes):
        if isinstance(cause, OSError) and cause.strerror:
            return f"cannot be reached: {cause.strerror[:1].lower()}{cause.strerror[1:]}"
    return re.sub(r"\s+", " ", str(causes[-1])) or type(causes[-1]).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and its causes, which requests and urllib3 hide in three ways."""
    current: object = error
    while isinstance(current, BaseException):
        yield current
        wrapped = current.args[0] if current.args else None
        hidden = (getattr(current, "reason", None), wrapped, current.__cause__)
        current = next((each for each in hidden if isinstance(each, BaseException)), None)


def _headers(request: WebRequest) -> dict[str, str]:
    # As Go's client, which BuildKit uses: gzip is requested, and decoded.
    headers = {"Accept-Encoding": "gzip", "Accept": "*/*"}
    if request.etag:
        headers["If-None-Match"] = request.etag
    return headers


def _check_length(response: "requests.Response", head: _Head, shown: str) -> None:
    # urllib3 before 2.0 takes a connection that ends early for the end of the file.
    received = response.raw.tell()
    if head.sent is not None and received < head.sent:
        raise WebError(f"{shown}: the connection broke after {received} of {head.sent} bytes")


def _seconds(text: str) -> int | None:
    from email.utils import parsedate_to_datetime

    try:
        return int(parsedate_to_datetime(text).timestamp())
    except (TypeError, ValueError, OverflowError):
        return None
