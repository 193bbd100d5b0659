"""Caches in object stores against servers that hold, lose, refuse or have no time."""

import io
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from img.adapters.remote_cache.object_store import MissingCloudExtra, ObjectStoreRemoteCache
from img.application.cancellation import StepCanceled, cancelled_by
from img.application.ports.remote_cache import RemoteCacheBusy, RemoteCacheError
from tests.support.servers.gs_server import GoogleStorage
from tests.support.servers.object_stores import object_store
from tests.support.servers.opened_stores import BLOB, CONTENT, opened, place_of
from tests.support.servers.scripted_server import Answer, Request, ScriptedServer


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with object_store("s3") as attributes:
        yield attributes


def test_objects_have_the_names_of_buildkit(s3: str) -> None:
    import obstore

    place = replace(place_of(f"{s3},prefix=p-"), names=("a", "b"))
    cache = opened(place)
    cache.add(BLOB, io.BytesIO(CONTENT))
    cache.publish(b"{}")

    held = [each["path"] for page in obstore.list(cache._store, "") for each in page]
    assert [path for path in held if path.startswith("p-")] == [
        f"p-blobs/{BLOB.digest}",
        "p-manifests/a",
        "p-manifests/b",
    ]


def test_a_used_blob_of_some_age_gets_a_new_date(s3: str) -> None:
    place = replace(place_of(f"{s3},prefix=touch/"), refresh_s=0.0)
    cache = opened(place)
    cache.add(BLOB, io.BytesIO(CONTENT))
    before = cache._changed(BLOB.digest)
    time.sleep(1.1)  # moto's dates have whole seconds

    assert cache.keep(BLOB.digest)

    after = cache._changed(BLOB.digest)
    assert before is not None
    assert after is not None
    assert after > before
    with cache.open(BLOB, 0) as stream:
        assert stream.read() == CONTENT


def test_a_bucket_that_is_not_there_is_named(s3: str) -> None:
    cache = opened(place_of(f"{s3},bucket=no-such-bucket"))

    for call in (lambda: list(cache.manifests()), lambda: cache.publish(b"{}")):
        with pytest.raises(RemoteCacheError, match="there is no bucket 'no-such-bucket'"):
            call()


def served_by(server: ScriptedServer) -> ObjectStoreRemoteCache:
    access = "access_key_id=a,secret_access_key=SECRET,retry_max_attempts=1,use_path_style=true"
    url = f"http://{server.address}"
    return opened(place_of(f"type=s3,bucket=bucket,region=r,endpoint_url={url},{access}"))


def test_an_empty_cache_is_read_without_the_right_to_list() -> None:
    def answer(request: Request) -> Answer:
        return Answer(status=403 if "list-type" in request.path else 404)

    with ScriptedServer(answer) as server:
        assert list(served_by(server).manifests()) == []


@pytest.mark.parametrize("created", [201, 400, 403, 404, 409])
def test_a_container_of_azure_is_made_before_the_first_write(created: int) -> None:
    def answer(request: Request) -> Answer:
        if request.method != "PUT":
            return Answer(status=404)
        status = created if "restype=container" in request.path else 201
        return Answer(status=status, headers={"ETag": '"1"'})

    with ScriptedServer(answer) as server:
        url = f"http://{server.address}/a"
        place = place_of(f"type=azblob,account_url={url},account_name=a,secret_access_key=a2V5")
        cache = opened(place)
        assert list(cache.manifests()) == []  # a container that is missing is an empty cache
        cache.add(BLOB, io.BytesIO(CONTENT))
        cache.publish(b"{}")

        written = [r.path for r in server.requests if r.method == "PUT"]
    assert written == [
        "/a/buildkit-cache?restype=container",
        f"/a/buildkit-cache/blobs/{BLOB.digest}",
        "/a/buildkit-cache/manifests/buildkit",
    ]


def test_a_container_of_azure_that_cannot_be_made_is_named() -> None:
    with ScriptedServer(lambda r: Answer(status=403 if "restype" in r.path else 404)) as server:
        url = f"account_url=http://{server.address}/a,account_name=a,secret_access_key=a2V5"
        cache = opened(place_of(f"type=azblob,{url}"))

        with pytest.raises(RemoteCacheError, match="there is no container 'buildkit-cache'"):
            cache.publish(b"{}")

        assert len(server.asked("PUT", "/a/buildkit-cache?restype=container")) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_a_store_without_time_is_busy(status: int) -> None:
    with ScriptedServer(lambda _: Answer(status=status)) as server:
        cache = served_by(server)

        with pytest.raises(RemoteCacheBusy):
            cache.has(BLOB.digest)
        with pytest.raises(RemoteCacheBusy):
            cache.add(BLOB, io.BytesIO(CONTENT))


@pytest.mark.parametrize("status", [400, 401, 403, 500])
def test_a_store_that_refuses_is_an_error_in_one_line_without_secrets(status: int) -> None:
    with ScriptedServer(lambda _: Answer(status=status, body=b"<Error/>")) as server:
        cache = served_by(server)

        with pytest.raises(RemoteCacheError) as caught:
            list(cache.manifests())

    assert "\n" not in caught.value.message
    assert "SECRET" not in caught.value.message


def test_a_download_that_breaks_goes_on() -> None:
    cut = [70_000, 10_000, None]

    def answer(request: Request) -> Answer:
        start = int(request.headers.get("Range", "bytes=0-")[6:-1])
        last = len(CONTENT) - 1
        headers = {
            "ETag": '"1"',
            "Last-Modified": "Tue, 14 Nov 2023 22:13:20 GMT",
            "Content-Range": f"bytes {start}-{last}/{len(CONTENT)}",
        }
        status = 206 if "Range" in request.headers else 200
        return Answer(status=status, headers=headers, body=CONTENT[start:], cut=cut.pop(0))

    with ScriptedServer(answer) as server, served_by(server).open(BLOB, 0) as stream:
        assert stream.read() == CONTENT


def test_a_store_that_sends_whole_objects_only_is_read_from_any_byte() -> None:
    headers = {"ETag": '"1"', "Last-Modified": "Tue, 14 Nov 2023 22:13:20 GMT"}
    whole = Answer(headers=headers, body=CONTENT)

    with ScriptedServer(lambda _: whole) as server, served_by(server).open(BLOB, 70_000) as stream:
        assert stream.read() == CONTENT[70_000:]

    assert [r.headers.get("Range") for r in server.requests] == ["bytes=70000-", None]


@pytest.mark.parametrize(
    ("status", "reason", "error"),
    [(403, "403 Forbidden", RemoteCacheError), (429, "429 Too Many Requests", RemoteCacheBusy)],
)
def test_a_part_that_is_refused_is_an_error_with_the_reason(
    status: int, reason: str, error: type[RemoteCacheError]
) -> None:
    def answer(request: Request) -> Answer:
        if request.method != "POST":
            return Answer(status=status)
        begun = f"<InitiateMultipartUploadResult><UploadId>{'x' * 400}</UploadId>"
        return Answer(body=f"{begun}</InitiateMultipartUploadResult>".encode())

    large = replace(BLOB, size=1 << 30)
    with ScriptedServer(answer) as server, pytest.raises(error, match=reason) as caught:
        served_by(server).add(large, io.BytesIO(CONTENT))

    assert (type(caught.value), "xxx" in caught.value.message) == (error, False)


def test_google_cloud_storage_with_a_service_account(tmp_path: Path) -> None:
    storage = GoogleStorage()
    with storage.serving(tmp_path / "account.json") as attributes:
        cache = opened(replace(place_of(f"{attributes},prefix=p/"), refresh_s=0.0))
        before = list(cache.manifests())
        cache.add(BLOB, io.BytesIO(CONTENT))
        cache.publish(b"{}")

        assert (before, list(cache.manifests()), cache.keep(BLOB.digest)) == ([], [b"{}"], True)
        with cache.open(BLOB, 0) as stream:
            assert stream.read() == CONTENT

    assert set(storage.objects) == {f"p/blobs/{BLOB.digest}", "p/manifests/buildkit"}
    assert any("x-goog-copy-source" in request.headers for request in storage.requests)


def test_without_the_extra_its_name_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)

    with pytest.raises(MissingCloudExtra, match=r"pip install 'img-builder\[cloud\]'"):
        opened(place_of("type=s3,bucket=b,region=r"))


def test_a_request_ends_when_its_work_is_cancelled() -> None:
    asked, cancelled, ended = Event(), Event(), Event()

    def answer(_request: Request) -> Answer:
        cancelled.set()
        asked.set()
        assert ended.wait(60)
        return Answer(status=404)

    with ScriptedServer(answer) as server:
        access = f"endpoint_url=http://{server.address},access_key_id=a,secret_access_key=b"
        cache = opened(place_of(f"type=s3,region=r,bucket=bucket,{access}"))
        with cancelled_by(cancelled), pytest.raises(StepCanceled):
            list(cache.manifests())
        assert asked.is_set()
        ended.set()
