"""Contract tests of downloads from web servers."""

import gzip
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest

from img.adapters.web.memory import MemoryPage, MemoryWeb
from img.adapters.web.requests import RequestsWebFetcher
from img.application.ports.web import (
    InvalidStatus,
    WebError,
    WebRequest,
    WebTransferCanceled,
)
from img.testing.web import CONTENT, NEVER, TOKEN, Site, WebFetcherContract
from tests.support.servers.scripted_server import Answer, Request, ScriptedServer


def _answer(request: Request) -> Answer:
    if request.path == "/file":
        headers = {"ETag": 'W/"v1"', "Last-Modified": "Tue, 14 Nov 2023 22:13:20 GMT"}
        if request.headers.get("If-None-Match") == '"v1"':
            return Answer(status=304, headers=headers)
        return Answer(headers=headers, body=CONTENT)
    if request.path == "/private":
        allowed = request.headers.get("Authorization") == TOKEN
        return Answer(body=b"secret") if allowed else Answer(status=401)
    return Answer(status=404)


@contextmanager
def _with_requests() -> Iterator[Site]:
    with ScriptedServer(_answer) as server:
        yield Site(RequestsWebFetcher(), f"http://{server.address}")


@contextmanager
def _in_memory() -> Iterator[Site]:
    file = MemoryPage(content=CONTENT, etag='"v1"', modified=1_700_000_000)
    private = MemoryPage(content=b"secret", authorization=TOKEN)
    pages = {"http://h/file": file, "http://h/private": private}
    yield Site(MemoryWeb(pages), "http://h")


@pytest.fixture(params=[_with_requests, _in_memory])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    with request.param() as found:
        yield found


class TestWebFetcher(WebFetcherContract):
    pass


# --- requests alone ---


def fetched(answer: Callable[[Request], Answer], path: str = "/file", **options: str) -> bytes:
    with ScriptedServer(answer) as server:
        return Site(RequestsWebFetcher(), f"http://{server.address}").get(path, **options)[0]


def test_a_server_that_sends_all_again_for_a_known_etag_is_believed() -> None:
    with ScriptedServer(lambda _: Answer(headers={"ETag": '"v1"'}, body=CONTENT)) as server:
        site = Site(RequestsWebFetcher(), f"http://{server.address}")
        assert site.get("/file", etag='"v1"')[1]


def test_a_304_without_etag_is_about_the_one_asked_for() -> None:
    with ScriptedServer(lambda _: Answer(status=304)) as server:
        site = Site(RequestsWebFetcher(), f"http://{server.address}")
        assert site.get("/file", etag='"v1"')[1:3] == (True, '"v1"')


def test_redirects_are_followed() -> None:
    def answer(request: Request) -> Answer:
        if request.path == "/file":
            return Answer(status=302, headers={"Location": "/moved"})
        return Answer(body=b"moved")

    assert fetched(answer) == b"moved"


def test_authorization_stays_with_its_host() -> None:
    with ScriptedServer(lambda _: Answer(body=b"other")) as other:
        elsewhere = f"http://localhost:{other.address.rpartition(':')[2]}/x"
        moved = Answer(status=302, headers={"Location": elsewhere})
        assert fetched(lambda _: moved, authorization=TOKEN) == b"other"
        (request,) = other.requests
        assert request.headers.get("Authorization") is None


def test_a_circle_of_redirects_ends() -> None:
    with pytest.raises(WebError, match="too many redirects"):
        fetched(lambda _: Answer(status=302, headers={"Location": "/file"}))


def test_name_and_password_of_a_url_are_sent_and_never_shown() -> None:
    def answer(request: Request) -> Answer:
        expected = f"Basic {b64encode(b'me:pa ss').decode()}"
        return Answer(status=200 if request.headers.get("Authorization") == expected else 403)

    with ScriptedServer(answer) as server:
        fetcher = RequestsWebFetcher()
        request = WebRequest(url=f"http://me:pa%20ss@{server.address}/x")
        with fetcher.get(request, NEVER) as found:
            assert list(found.content) == []
        with pytest.raises(InvalidStatus) as refusal:
            Site(fetcher, f"http://me:other@{server.address}").get("/x")
        assert "other" not in refusal.value.message


def test_a_netrc_is_not_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login me password mine\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with ScriptedServer(lambda _: Answer()) as server:
        Site(RequestsWebFetcher(), f"http://{server.address}").get("/file")
        assert server.requests[0].headers.get("Authorization") is None


def test_what_is_compressed_on_its_way_is_not_in_the_end() -> None:
    packed = gzip.compress(CONTENT)
    encoded = Answer(headers={"Content-Encoding": "gzip"}, body=packed)
    assert fetched(lambda _: encoded) == CONTENT
    assert fetched(lambda _: Answer(body=packed)) == packed


def test_less_than_was_promised_is_an_error() -> None:
    with pytest.raises(WebError):
        fetched(lambda _: Answer(body=CONTENT, cut=1000))


def test_a_server_that_is_busy_is_asked_again() -> None:
    statuses = iter([503, 200])
    assert fetched(lambda _: Answer(status=next(statuses), body=b"ok")) == b"ok"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://127.0.0.1:1/x", "http://127.0.0.1:1/x: cannot be reached: connection refused"),
        ("http://u:p@host.invalid/", "http://xxxxx:xxxxx@host.invalid/: cannot be reached: "),
        ("http://[::1/x", "http://[::1/x: "),
    ],
)
def test_why_nothing_came_is_said_in_one_line(url: str, told: str) -> None:
    with pytest.raises(WebError) as failure, RequestsWebFetcher().get(WebRequest(url=url), NEVER):
        pass
    assert failure.value.message.startswith(told)
    assert "\n" not in failure.value.message


def test_a_server_that_does_not_answer_can_be_left_at_once() -> None:
    answered, cancelled = Event(), Event()

    def answer(_: Request) -> Answer:
        answered.wait(20)
        return Answer()

    with ScriptedServer(answer) as server:
        threading.Timer(0.2, cancelled.set).start()
        began = time.monotonic()
        with (
            pytest.raises(WebTransferCanceled),
            RequestsWebFetcher().get(WebRequest(url=f"http://{server.address}/x"), cancelled),
        ):
            pass
        assert time.monotonic() - began < 15  # the server answers after 20 s
        answered.set()
