"""Web files in memory, for tests."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field

from img.application.ports.executor import Cancellation
from img.application.ports.web import (
    InvalidStatus,
    WebAnswer,
    WebFetcher,
    WebRequest,
    WebTransferCanceled,
)
from img.domain.dataclass import dataclass
from img.domain.url import redact_credentials


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPage:
    """The content of a URL, and the authorization that it requires, if any."""

    content: bytes
    etag: str = ""
    modified: int | None = None
    authorization: str = ""


@dataclass(slots=True)
class MemoryWeb(WebFetcher):
    """Serves ``pages`` by URL; ``requests`` records the requests."""

    pages: Mapping[str, MemoryPage] = field(default_factory=dict)
    requests: list[WebRequest] = field(default_factory=list)

    @contextmanager
    def get(self, request: WebRequest, cancelled: Cancellation) -> Iterator[WebAnswer]:
        self.requests.append(request)
        if cancelled.is_set():
            raise WebTransferCanceled
        page = self.pages.get(request.url)
        if page is None:
            raise InvalidStatus(redact_credentials(request.url), 404)
        if page.authorization and request.authorization != page.authorization:
            raise InvalidStatus(redact_credentials(request.url), 401)
        unchanged = bool(request.etag) and page.etag == request.etag
        yield WebAnswer(
            content=iter(()) if unchanged else _pieces(page.content, cancelled),
            unchanged=unchanged,
            etag=page.etag,
            modified=page.modified,
            size=len(page.content),
        )


def _pieces(content: bytes, cancelled: Cancellation) -> Iterator[bytes]:
    for at in range(0, len(content), 1024):
        if cancelled.is_set():
            raise WebTransferCanceled
        yield content[at : at + 1024]
