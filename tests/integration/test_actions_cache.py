"""The cache of GitHub Actions against a service that fails, lies, or has no time."""

import io
import json
import time
from collections.abc import Callable, Mapping
from threading import Event

import pytest

from img.adapters.remote_cache.actions import ActionsRemoteCache
from img.application.ports.remote_cache import (
    RemoteBlobNotFound,
    RemoteCacheBusy,
    RemoteCacheError,
)
from img.domain.actions_cache import blob_key
from img.domain.digest import Digest
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.media_types import OCI_LAYER_GZIP
from img.domain.options.cache import parse_cache_source
from img.domain.options.remote_cache import ActionsCache
from tests.support.servers.actions_server import MAIN, ActionsServer, actions_token
from tests.support.servers.scripted_server import Answer, Request

CONTENT = b"layer" * 20_000
BLOB = Descriptor(media_type=OCI_LAYER_GZIP, digest=Digest.of(CONTENT), size=len(CONTENT))


class Client:
    """A cache of a server, and how long it would have waited."""

    def __init__(self, server: ActionsServer, version: int = 2, **more: object) -> None:
        place = parse_cache_source(server.attributes(version, **more))
        assert isinstance(place, ActionsCache)
        self.waits: list[float] = []
        self.cache = ActionsRemoteCache(place, self.waits.append)

    def read(self, start: int = 0) -> bytes:
        with self.cache.open(BLOB, start) as stream:
            return stream.read()


def failing(answer: Answer, times: int, path: str = "") -> Callable[[Request], Answer | None]:
    """Return a handler that answers the first requests for ``path`` with ``answer``."""
    left = [times]

    def before(request: Request) -> Answer | None:
        if path not in request.path or left[0] <= 0:
            return None
        left[0] -= 1
        return answer

    return before


def with_blob(version: int = 2) -> ActionsServer:
    server = ActionsServer()
    with server:
        Client(server, version).cache.add(BLOB, io.BytesIO(CONTENT))
    fresh = ActionsServer()
    fresh.entries = server.entries
    return fresh


def test_keys_are_those_of_buildkit() -> None:
    with ActionsServer() as server:
        cache = Client(server, scope="s").cache
        cache.add(BLOB, io.BytesIO(CONTENT))
        cache.publish(b"{1}")
        cache.publish(b"{2}")

    assert server.held() == {
        blob_key(BLOB.digest): CONTENT,
        "index-s-1-f921bd05#1": b"{1}",
        "index-s-1-f921bd05#2": b"{2}",
    }


def test_the_indexes_of_all_scopes_are_read_and_one_is_written() -> None:
    branch = actions_token(("refs/heads/b", 3), (MAIN, 1))
    with ActionsServer(actions_token()) as server:
        Client(server).cache.publish(b"{main}")
        server.token = branch
        Client(server).cache.publish(b"{branch}")

        assert list(Client(server).cache.manifests()) == [b"{branch}", b"{main}"]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("path", ["/twirp", "/storage"])
@pytest.mark.parametrize("version", [1, 2])
def test_a_failure_that_passes_is_no_failure(status: int, path: str, version: int) -> None:
    path = "/_apis" if version == 1 and path == "/twirp" else path
    with ActionsServer() as server:
        server.before = failing(Answer(status=status, headers={"Retry-After": "3"}), 2, path)
        client = Client(server, version)
        client.cache.add(BLOB, io.BytesIO(CONTENT))
        server.before = failing(Answer(status=status), 2, path)

        assert client.read() == CONTENT

    assert server.held()[blob_key(BLOB.digest)] == CONTENT
    assert all(wait <= 4 for wait in client.waits)


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "3600"}, {"Retry-After": "soon"}])
@pytest.mark.parametrize("status", [429, 503, 403, 401])
def test_a_service_that_does_not_serve_the_job_is_busy(
    status: int, headers: Mapping[str, str]
) -> None:
    with ActionsServer() as server:
        server.before = lambda _: Answer(status=status, headers=headers)
        client = Client(server)

        with pytest.raises(RemoteCacheBusy, match=str(status)):
            client.cache.has(BLOB.digest)

    assert sum(client.waits) < 10


def test_a_service_that_does_not_answer_costs_no_more_than_the_timeout() -> None:
    held = Event()

    def hold(_request: Request) -> Answer:
        held.wait(60)
        return Answer(status=503)

    with ActionsServer() as server:
        server.before = hold
        client = Client(server, timeout="1s")
        began = time.monotonic()

        with pytest.raises(RemoteCacheError, match="the server does not answer"):
            client.cache.has(BLOB.digest)

        assert time.monotonic() - began < 10
        held.set()


def test_a_date_to_come_back_at_is_obeyed() -> None:
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 19))
    with ActionsServer() as server:
        server.before = failing(Answer(status=429, headers={"Retry-After": date}), 1)
        client = Client(server)

        assert not client.cache.has(BLOB.digest)

    assert 1 <= client.waits[0] <= 19


def test_a_download_that_breaks_goes_on() -> None:
    with with_blob() as server:
        cut = [70_000, 10_000, 5_000]

        def before(request: Request) -> Answer | None:
            if "/storage/" not in request.path or not cut:
                return None
            start = int(request.headers.get("Range", "bytes=0-")[6:-1])
            status = 206 if start else 200
            return Answer(status=status, body=CONTENT[start:], cut=cut.pop(0))

        server.before = before

        assert Client(server).read() == CONTENT

    ranges = [r.headers["Range"] for r in server.requests if "Range" in r.headers]
    assert ranges == ["bytes=70000-", "bytes=80000-", "bytes=85000-"]


def test_a_storage_that_knows_no_ranges_is_read_from_the_start() -> None:
    content = bytes(range(256)) * 6000  # 1.5 MB: some chunks
    blob = Descriptor(media_type=BLOB.media_type, digest=Digest.of(content), size=len(content))
    with with_blob() as server:
        client = Client(server)
        client.cache.add(blob, io.BytesIO(content))
        server.before = failing(Answer(body=content), 9, "/storage")

        for start in (99_000, 1_000_001):
            with client.cache.open(blob, start) as stream:
                assert stream.read() == content[start:]


@pytest.mark.parametrize("version", [1, 2])
def test_a_blob_that_another_job_has_reserved_is_there_only_when_that_job_ends(
    version: int,
) -> None:
    with ActionsServer() as server:
        service = Client(server, version)
        assert service.cache._service.reserve(blob_key(BLOB.digest)) is not None

        assert not service.cache.add(BLOB, io.BytesIO(CONTENT))

    assert 1 < sum(service.waits) <= 5


def test_a_link_that_has_expired_is_asked_for_anew() -> None:
    with with_blob() as server:
        client = Client(server)
        assert client.cache.has(BLOB.digest)
        server.revoke_links()

        assert client.read() == CONTENT


def test_a_blob_that_has_expired_is_named() -> None:
    with with_blob() as server:
        client = Client(server)
        assert client.cache.has(BLOB.digest)
        server.revoke_links()
        server.entries.clear()

        with pytest.raises(RemoteBlobNotFound):
            client.read()


@pytest.mark.parametrize(
    "answer",
    [
        {"ok": True, "signed_download_url": "", "matched_key": ""},
        {"ok": True, "signed_download_url": "file:///etc/passwd", "matched_key": ""},
        {"ok": True, "signed_download_url": 5},
        {"ok": True, "signed_download_url": "http://127.0.0.1:1/", "matched_key": "other"},
        {"ok": True, "signed_download_url": "http://169.254.169.254/", "matched_key": ""},
    ],
)
def test_an_answer_that_leads_astray_is_refused(answer: Mapping[str, object]) -> None:
    with ActionsServer() as server:
        server.before = failing(Answer(body=json.dumps(answer).encode()), 9, "/twirp")

        with pytest.raises(RemoteCacheError):
            Client(server).read()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"5" * 3_000_000])
@pytest.mark.parametrize("version", [1, 2])
def test_an_answer_that_is_nonsense_is_an_error_or_a_miss(body: bytes, version: int) -> None:
    with ActionsServer() as server:
        server.before = lambda _: Answer(body=body)
        cache = Client(server, version).cache

        with pytest.raises(RemoteCacheError):
            cache.add(BLOB, io.BytesIO(CONTENT))


def test_the_token_goes_to_no_other_server() -> None:
    with ActionsServer() as other, ActionsServer() as server:
        to = Answer(status=307, headers={"Location": f"{other.url}steal"})
        server.before = failing(to, 99, "/twirp")

        with pytest.raises(RemoteCacheError, match="307"):
            Client(server).cache.has(BLOB.digest)

    assert other.requests == []


def test_a_token_that_may_only_read_is_no_failure_of_a_build() -> None:
    with ActionsServer(actions_token((MAIN, 1))) as server, pytest.raises(RemoteCacheBusy):
        Client(server).cache.publish(b"{}")


@pytest.mark.parametrize("token", ["x", actions_token(exp=1)])
def test_a_token_of_no_use_is_no_failure_of_a_build(token: str) -> None:
    with ActionsServer(token) as server, pytest.raises(RemoteCacheBusy, match="token"):
        Client(server)


def test_a_second_writer_takes_the_next_number() -> None:
    with ActionsServer() as server:
        client = Client(server)
        client.cache.publish(b"{1}")
        server._reserve("index-buildkit-1-f921bd05#2", server.entries[0].version)

        client.cache.publish(b"{3}")

        assert list(client.cache.manifests()) == [b"{3}"]
    assert "index-buildkit-1-f921bd05#3" in server.held()
