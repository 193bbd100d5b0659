"""Contract suite of downloads from web servers."""

from dataclasses import dataclass
from threading import Event

import pytest

from img.application.ports.web import (
    InvalidStatus,
    WebFetcher,
    WebRequest,
    WebTransferCanceled,
)

CONTENT = b"0123456789" * 100_000
TOKEN = "Bearer t0p"
NEVER = Event()


@dataclass(frozen=True, slots=True)
class Site:
    """A fetcher, and the URL of a server.

    The server's ``/file`` is CONTENT, with the ETag ``"v1"``, modified 1,700,000,000 seconds after
    1970. ``/private`` is ``secret``, and requires the authorization TOKEN. It has no other pages.
    """

    fetcher: WebFetcher
    url: str

    def get(self, path: str, **options: str) -> tuple[bytes, bool, str, int | None]:
        request = WebRequest(url=f"{self.url}{path}", **options)
        with self.fetcher.get(request, NEVER) as answer:
            content = b"".join(answer.content)
            return content, answer.unchanged, answer.etag, answer.modified


class WebFetcherContract:
    """Promises of every WebFetcher.

    Fixtures: ``site``, a Site.
    """

    def test_a_file_comes_with_what_the_server_says_of_it(self, site: Site) -> None:
        assert site.get("/file") == (CONTENT, False, '"v1"', 1_700_000_000)

    def test_a_file_that_is_known_does_not_come_again(self, site: Site) -> None:
        content, unchanged, etag, _ = site.get("/file", etag='"v1"')
        assert (content, unchanged, etag) == (b"", True, '"v1"')

    def test_a_file_that_has_changed_comes_again(self, site: Site) -> None:
        content, unchanged, _, _ = site.get("/file", etag='"v0"')
        assert (content, unchanged) == (CONTENT, False)

    def test_what_is_not_there_is_refused_by_its_status(self, site: Site) -> None:
        with pytest.raises(InvalidStatus) as refusal:
            site.get("/nope")
        assert refusal.value.message.endswith("invalid response status 404")

    def test_authorization_opens_what_is_private(self, site: Site) -> None:
        assert site.get("/private", authorization=TOKEN)[0] == b"secret"
        with pytest.raises(InvalidStatus):
            site.get("/private", authorization="Bearer other")

    def test_nothing_is_fetched_that_is_cancelled(self, site: Site) -> None:
        cancelled = Event()
        cancelled.set()
        with (
            pytest.raises(WebTransferCanceled),
            site.fetcher.get(WebRequest(url=f"{site.url}/file"), cancelled),
        ):
            pass

    def test_a_transfer_ends_soon_after_it_is_cancelled(self, site: Site) -> None:
        cancelled = Event()
        with site.fetcher.get(WebRequest(url=f"{site.url}/file"), cancelled) as answer:
            next(answer.content)
            cancelled.set()
            with pytest.raises(WebTransferCanceled):
                list(answer.content)
