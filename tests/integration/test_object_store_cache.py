"""Caches in object stores against servers that hold, lose, refuse or have no time."""

import io
import json
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest

from img.adapters.remote_cache.object_store import MissingCloudExtra, ObjectStoreRemoteCache
from img.adapters.remote_cache.object_store_client import aws_profile, open_stores
from img.application.cancellation import StepCanceled, cancelled_by
from img.application.ports.remote_cache import RemoteCacheBusy, RemoteCacheError
from img.domain.digest import Digest
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.media_types import OCI_LAYER_GZIP
from img.domain.options.cache import parse_cache_source
from img.domain.options.remote_cache import ObjectStoreCache
from tests.support.servers.certificates import Authority
from tests.support.servers.gs_server import GoogleStorage
from tests.support.servers.object_stores import object_store
from tests.support.servers.scripted_server import Answer, Request, ScriptedServer

CONTENT = b"layer" * 20_000
BLOB = Descriptor(media_type=OCI_LAYER_GZIP, digest=Digest.of(CONTENT), size=len(CONTENT))


def place_of(text: str) -> ObjectStoreCache:
    place = parse_cache_source(text)
    assert isinstance(place, ObjectStoreCache)
    return place


def opened(place: ObjectStoreCache) -> ObjectStoreRemoteCache:
    return ObjectStoreRemoteCache(place, {}, sleep=lambda _: None)


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


@pytest.mark.parametrize(
    ("host", "style", "expected"),
    [
        ("10.1.2.3:9000", "", "http://10.1.2.3:9000/bucket/"),
        ("store.test", "use_path_style=T,", "http://store.test/bucket/"),
        ("store.test", "", "http://bucket.store.test/"),
        ("store.test:9000", "use_path_style=F,", "http://bucket.store.test:9000/"),
    ],
)
def test_the_bucket_is_in_each_request(host: str, style: str, expected: str) -> None:
    access = f"{style}access_key_id=a,secret_access_key=b,retry_max_attempts=1"
    place = place_of(f"type=s3,bucket=bucket,region=r,endpoint_url=http://{host},{access}")
    with ScriptedServer(lambda _: Answer(status=403)) as proxy:
        environment = {"http_proxy": f"http://{proxy.address}"}

        with pytest.raises(RemoteCacheError):
            ObjectStoreRemoteCache(place, environment).has(BLOB.digest)

        asked = proxy.requests[0].path
    assert asked.partition("blobs")[0] == expected


@pytest.mark.parametrize("anonymous", ["F", "false", "0"])
def test_requests_are_signed_unless_they_are_anonymous(anonymous: str) -> None:
    with ScriptedServer(lambda _: Answer(status=404)) as server:
        place = place_of(
            f"type=s3,bucket=b,region=r,endpoint_url=http://{server.address},"
            f"access_key_id=a,secret_access_key=b,anonymous={anonymous}"
        )
        assert not opened(place).has(BLOB.digest)
        assert not opened(replace(place, access={**place.access, "anonymous": "T"})).has(
            BLOB.digest
        )

        signed = ["Authorization" in request.headers for request in server.requests]
    assert signed == [True, False]


def test_credentials_that_expire_are_renewed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    issued: list[str] = []

    def answer(request: Request) -> Answer:
        if request.path != "/credentials":
            return Answer(status=404)
        issued.append(f"KEY{len(issued)}")
        ends = datetime.now(UTC) + timedelta(seconds=1)
        document = {
            "AccessKeyId": issued[-1],
            "SecretAccessKey": "s",
            "Token": "t",
            "Expiration": f"{ends:%Y-%m-%dT%H:%M:%SZ}",
        }
        return Answer(body=json.dumps(document).encode())

    (tmp_path / "token").write_text("of the pod")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    with ScriptedServer(answer) as server:
        url = f"http://{server.address}"
        # As of a pod in EKS.
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{url}/credentials")
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "token"))
        cache = opened(place_of(f"type=s3,region=r,bucket=b,endpoint_url={url}"))
        for _ in range(3):
            assert not cache.has(BLOB.digest)
            time.sleep(0.2)  # obstore waits for 0.1 s before it asks again

        signed = [r.headers["Authorization"] for r in server.requests if "blobs" in r.path]
        asked = server.asked("GET", "/credentials")
    assert [f"={key}/" in text for key, text in zip(issued, signed, strict=True)] == [True] * 3
    assert {request.headers["Authorization"] for request in asked} == {"of the pod"}


def test_credentials_of_a_profile_are_used_for_as_long_as_boto_keeps_them_valid(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("boto3")
    text = '{"Version": 1, "AccessKeyId": "KEY", "SecretAccessKey": "s"}'
    (tmp_path / "config").write_text(f"[profile ci]\ncredential_process = echo '{text}'\n")
    environment = {"AWS_PROFILE": "ci", "AWS_CONFIG_FILE": str(tmp_path / "config")}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    provider = aws_profile(place_of("type=s3,region=r,bucket=b"), environment)

    given = provider()
    assert given["access_key_id"] == "KEY"
    assert given["expires_at"] - datetime.now(UTC) <= timedelta(minutes=10)
    assert aws_profile(place_of("type=s3,region=r,bucket=b"), {}) is None
    monkeypatch.setenv("AWS_PROFILE", "other")
    with pytest.raises(RemoteCacheError, match=r"AWS_PROFILE other gives no .*not be found"):
        aws_profile(place_of("type=s3,region=r,bucket=b"), {"AWS_PROFILE": "other"})


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


@pytest.mark.parametrize("status", [429, 503])
def test_a_store_without_time_is_busy(status: int) -> None:
    with ScriptedServer(lambda _: Answer(status=status)) as server:
        cache = served_by(server)

        with pytest.raises(RemoteCacheBusy):
            cache.has(BLOB.digest)
        with pytest.raises(RemoteCacheBusy):
            cache.add(BLOB, io.BytesIO(CONTENT))


@pytest.mark.parametrize(
    ("port", "cause"), [("9", "Connection refused"), ("", "invalid certificate: UnknownIssuer")]
)
def test_the_cause_of_a_failed_connection_is_said(port: str, cause: str, tmp_path: Path) -> None:
    certificate = Authority(tmp_path).issue("store", "IP:127.0.0.1")
    with ScriptedServer(lambda _: Answer(status=404), tls=certificate.context()) as server:
        address = f"127.0.0.1:{port}" if port else server.address
        access = "access_key_id=a,secret_access_key=b,retry_max_attempts=1"
        text = f"type=s3,region=r,bucket=b,endpoint_url=https://{address},{access}"

        with pytest.raises(RemoteCacheError, match=f"HEAD: HTTP error: {cause}$"):
            opened(place_of(text)).has(BLOB.digest)


def test_a_store_with_a_certificate_of_a_named_authority_is_trusted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    certificate = authority.issue("store", "IP:127.0.0.1")
    with ScriptedServer(lambda _: Answer(status=404), tls=certificate.context()) as server:
        access = "access_key_id=a,secret_access_key=b"
        text = f"type=s3,region=r,bucket=b,endpoint_url=https://{server.address},{access}"

        assert not opened(place_of(text)).has(BLOB.digest)


def test_a_store_that_does_not_answer_is_asked_no_longer() -> None:
    import obstore

    held = Event()

    def hold(_request: Request) -> Answer:
        held.wait(60)
        return Answer(status=503)

    with ScriptedServer(hold) as server:
        access = "access_key_id=a,secret_access_key=b,retry_max_attempts=1"
        url = f"endpoint_url=http://{server.address}"
        place = place_of(f"type=s3,bucket=bucket,region=r,{url},{access}")
        _, reading = open_stores(place, {}, silence_s=0.3)
        began = time.monotonic()

        with pytest.raises(obstore.exceptions.GenericError):
            obstore.head(reading, "key")

        assert time.monotonic() - began < 10
        held.set()


@pytest.mark.all_tests
def test_an_upload_ends_when_no_byte_moves_for_half_a_minute() -> None:
    content = bytes(8 << 20)
    blob = replace(BLOB, digest=Digest.of(content), size=len(content))
    with socket.socket() as silent:
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        silent.bind(("127.0.0.1", 0))
        silent.listen()  # the kernel takes connections, and bytes until its buffer is full
        access = "access_key_id=a,secret_access_key=b,retry_max_attempts=1"
        url = f"endpoint_url=http://127.0.0.1:{silent.getsockname()[1]}"
        cache = opened(place_of(f"type=s3,bucket=bucket,region=r,{url},{access}"))
        began = time.monotonic()

        with pytest.raises(RemoteCacheError, match=r"PUT: HTTP error: Connection timed out$"):
            cache.add(blob, io.BytesIO(content))

    assert 40 < time.monotonic() - began < 120  # two tries


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
