"""Requests to the cache service of GitHub Actions, and to the storage that it names."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from img.adapters.remote_cache.resuming_stream import CHUNK, BrokenTransfer
from img.application.cancellation import pause
from img.application.ports.remote_cache import RemoteCacheBusy, RemoteCacheError
from img.domain.dataclass import dataclass
from img.domain.decimal_text import parse_count
from img.domain.json_text import InvalidJson, parse_json
from img.domain.options.remote_cache import ActionsCache
from img.domain.options.remote_cache_attributes import is_web_url

if TYPE_CHECKING:
    import requests

BUSY = frozenset({429, 503})
PASSING = frozenset({408, 500, 502, 504}) | BUSY

_MOST_ANSWER = 1 << 20  # bytes of an answer of the service
_REASON_LIMIT = 300  # characters
_PAUSES = (0.5, 1.0, 2.0, 4.0)  # seconds
_LONGEST_PAUSE_S = 20.0  # a service that wants a longer one is not used
_CONNECT_S = 10.0
_SILENCE_S = 30.0  # without a byte of an answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer that was read whole."""

    status: int
    body: bytes

    def json(self) -> Mapping[str, object]:
        """Return the object that the answer is, an empty one for anything else."""
        try:
            value = parse_json(self.body)
        except InvalidJson:
            return {}
        return value if isinstance(value, dict) else {}


class ActionsClient:
    """Sends requests for one cache; used by several threads.

    The token is sent to the service alone, never to a storage that the service names.
    """

    def __init__(self, place: ActionsCache, sleep: Callable[[float], None] = pause) -> None:
        self._place = place
        self.sleep = sleep
        self._session: Any = None
        self._lock = threading.Lock()

    def call(self, method: str, path: str, **options: Any) -> Reply:
        """Send a request to the service; ``path`` stands below its URL. Raises as ``send``."""
        headers = {
            "Authorization": f"Bearer {self._place.token}",
            **options.pop("headers", {}),
        }
        return self.send(method, self._place.url + path, headers=headers, **options)

    def send(
        self, method: str, url: str, *, accepted: frozenset[int] = frozenset(), **options: Any
    ) -> Reply:
        """Return a 2xx answer, or one with an ``accepted`` status.

        A passing failure is retried, a request without an answer once. Raises RemoteCacheBusy
        where the service has no time or denies the access, else RemoteCacheError.
        """
        deadline = time.monotonic() + self._place.timeout_s
        was_silent = False
        for pause_s in (*_PAUSES, None):
            left_s = max(deadline - time.monotonic(), 0.1)
            limits = (min(_CONNECT_S, left_s), min(_SILENCE_S, left_s))
            try:
                with self._request(method, url, timeout=limits, **options) as response:
                    reply = Reply(status=response.status_code, body=_body(response))
                    wait_s = _retry_after_s(response.headers)
            except BrokenTransfer as error:
                failure: RemoteCacheError = error
                wait_s = 0.0
                if isinstance(error, NoAnswer):
                    if was_silent:
                        raise
                    was_silent = True
            else:
                if 200 <= reply.status < 300 or reply.status in accepted:
                    return reply
                failure = self.refusal(reply)
                if reply.status not in PASSING:
                    raise failure
            wait_s = max(wait_s, pause_s or 0.0)
            if pause_s is None or wait_s > _LONGEST_PAUSE_S or time.monotonic() + wait_s > deadline:
                raise failure
            self.sleep(wait_s)
        raise AssertionError  # the last pause is None

    def chunks(self, url: str, start: int) -> Iterator[bytes]:
        """Yield the bytes at a storage's URL from ``start`` on.

        Raises BrokenTransfer, RemoteCacheError; LinkExpired for a URL that is of no use any more.
        """
        headers = {"Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        limits = (_CONNECT_S, _SILENCE_S)
        options = {"headers": headers, "timeout": limits, "allow_redirects": True}
        with self._request("GET", url, **options) as response:
            if response.status_code in {401, 403, 404, 410}:
                raise LinkExpired("the storage refuses the link that the service gave")
            if response.status_code == 416:  # a blob that is shorter than promised
                return
            if response.status_code in PASSING:
                raise BrokenTransfer(f"the storage answers {response.status_code}")
            if response.status_code not in {200, 206}:
                raise self.refusal(Reply(status=response.status_code, body=_body(response)))
            skip = start if response.status_code == 200 else 0
            while chunk := _read(response, CHUNK):
                if piece := chunk[skip:]:
                    yield piece
                skip = max(0, skip - len(chunk))

    def check_link(self, url: object) -> str:
        """Return a URL of a storage that the service named. Raises RemoteCacheError."""
        if not isinstance(url, str) or not is_web_url(url):
            raise RemoteCacheError(f"{self._place}: the service names no storage")
        self._check_scheme(url)
        return url

    def refusal(self, reply: Reply) -> RemoteCacheError:
        """Return the error for an answer."""
        document = reply.json()
        said = document.get("msg") or document.get("message") or ""
        reason = f"{reply.status} {said}".strip()[:_REASON_LIMIT]
        error = RemoteCacheBusy if reply.status in BUSY | {401, 403} else RemoteCacheError
        return error(f"{self._place}: the cache service answers {reason}")

    def _request(self, method: str, url: str, **options: object) -> "requests.Response":
        import requests
        from urllib3.exceptions import HTTPError

        from img.adapters.http.guarded_session import AddressNotAllowed

        options.setdefault("allow_redirects", False)
        try:
            response: requests.Response = self._opened().request(
                method, url, stream=True, auth=_as_it_is, **options
            )
        except AddressNotAllowed as error:
            raise RemoteCacheError(f"{self._place}: {error.message}", hint=error.hint) from None
        except requests.ReadTimeout:
            raise NoAnswer(f"{self._place}: the server does not answer") from None
        except (requests.RequestException, HTTPError, OSError, UnicodeError) as error:
            raise BrokenTransfer(f"{self._place}: {_reason(error)}") from None
        try:
            self._check_scheme(response.url)
        except RemoteCacheError:
            response.close()
            raise
        return response

    def _opened(self) -> Any:
        from img.adapters.http.web_session import WebSession

        with self._lock:
            if self._session is None:
                self._session = WebSession(self._place.url, tries=0)
            return self._session

    def _check_scheme(self, url: str) -> None:
        # Digests are in the manifest, and nothing vouches for that but TLS.
        if self._place.url.startswith("https:") and not url.lower().startswith("https:"):
            raise RemoteCacheError(f"{self._place}: the service leads from https to http")


class NoAnswer(BrokenTransfer):
    """A server that accepted a connection, and then sent nothing for a long time."""


class LinkExpired(RemoteCacheError):
    """A signed URL that the storage refuses; the service may give another one."""


def _body(response: "requests.Response") -> bytes:
    body = b""
    while len(body) <= _MOST_ANSWER and (chunk := _read(response, CHUNK, decode=True)):
        body += chunk
    return body[:_MOST_ANSWER]


def _read(response: "requests.Response", size: int, *, decode: bool = False) -> bytes:
    from urllib3.exceptions import HTTPError

    try:
        chunk: bytes = response.raw.read(size, decode_content=decode)
    except (HTTPError, OSError) as error:
        raise BrokenTransfer(_reason(error)) from None
    return chunk


def _reason(error: BaseException) -> str:
    """Return in a few words why a request failed; requests and urllib3 hide it in arguments."""
    current: object = error
    innermost = error
    while isinstance(current, BaseException):
        innermost = current
        hidden = (getattr(current, "reason", None), *current.args[:1], current.__cause__)
        current = next((each for each in hidden if isinstance(each, BaseException)), None)
    text = (isinstance(innermost, OSError) and innermost.strerror) or str(innermost)
    return f"cannot be reached: {text}"[:_REASON_LIMIT]


def _retry_after_s(headers: Mapping[str, str]) -> float:
    text = headers.get("Retry-After", "")
    if (seconds := parse_count(text)) is not None:
        return float(seconds)
    if not text:
        return 0.0
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _as_it_is(request: "requests.PreparedRequest") -> "requests.PreparedRequest":
    return request  # any auth at all keeps requests from reading a ~/.netrc
