"""Files on web servers."""

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import field
from typing import Protocol

from img.application.ports.executor import Cancellation
from img.domain.dataclass import dataclass
from img.domain.errors import RemoteError


class WebError(RemoteError):
    """A server is not reachable, or a connection broke."""


class InvalidStatus(WebError):
    """A server answers with a status that is an error (message: BuildKit's)."""

    def __init__(self, url: str, status: int) -> None:
        super().__init__(f"{url}: invalid response status {status}")
        self.status = status


class WebTransferCanceled(WebError):
    """A transfer was cancelled."""

    def __init__(self) -> None:
        super().__init__("context canceled")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebRequest:
    """A URL, and the ETag of the content that is stored already."""

    url: str  # name and password in it are sent as Basic authorization
    etag: str = ""  # of the stored content; "" if there is none
    authorization: str = field(default="", repr=False)  # the header's whole value


@dataclass(frozen=True, slots=True, kw_only=True)
class WebAnswer:
    """An answer; ``content`` yields the bytes as they arrive, none if ``unchanged``."""

    content: Iterator[bytes]
    unchanged: bool = False
    etag: str = ""  # without W/
    modified: int | None = None  # Last-Modified, seconds since 1970
    size: int = 0  # bytes to come; 0 if unknown


class WebFetcher(Protocol):
    """Downloads by HTTP and HTTPS; several threads may use one fetcher."""

    @abstractmethod
    def get(
        self, request: WebRequest, cancelled: Cancellation
    ) -> AbstractContextManager[WebAnswer]:
        """Enter with the answer, after redirects and retries of temporary failures.

        An answer with the ``etag`` of the request is ``unchanged``, even if its status is 200.
        The authorization is sent to the host of the URL only. Entering, and reading the content to
        its end, raise InvalidStatus, WebError (also for truncated content), and
        WebTransferCanceled soon after ``cancelled`` is set.
        """
