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
    """A server that could not be reached, or a connection that broke."""


class InvalidStatus(WebError):
    """A server that answers, but not with the file (BuildKit's words)."""

    def __init__(self, url: str, status: int) -> None:
        super().__init__(f"{url}: invalid response status {status}")
        self.status = status


class WebTransferCanceled(WebError):
    """A transfer that was given up because somebody asked for it."""

    def __init__(self) -> None:
        super().__init__("context canceled")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebRequest:
    """What is wanted, and what is known of it already."""

    url: str  # name and password in it are sent as Basic authorization
    etag: str = ""  # of the content that is here; "" if there is none
    authorization: str = field(default="", repr=False)  # the header's whole value


@dataclass(frozen=True, slots=True, kw_only=True)
class WebAnswer:
    """What the server says; ``content`` is its bytes as they come, none if they are known."""

    content: Iterator[bytes]
    unchanged: bool = False
    etag: str = ""  # without the mark of a weak one
    modified: int | None = None  # Last-Modified, seconds since 1970
    size: int = 0  # bytes to come; 0 where the server does not say


class WebFetcher(Protocol):
    """Gets files by http(s); used by several threads."""

    @abstractmethod
    def get(
        self, request: WebRequest, cancelled: Cancellation
    ) -> AbstractContextManager[WebAnswer]:
        """Enter with the answer; redirects were followed, passing failures tried again.

        An answer with the request's ``etag`` is ``unchanged``, whatever its status. The
        authorization goes to the URL's own host only. Entering, and reading the content to its
        end, raise InvalidStatus, WebError for less than was promised, and WebTransferCanceled
        soon after ``cancelled`` is set.
        """
