"""Clients of object stores: addresses, credentials, certificates and limits of time."""

import io
import json
import socket
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest

from img.adapters.remote_cache.object_store import ObjectStoreRemoteCache
from img.adapters.remote_cache.object_store_client import aws_profile, open_stores
from img.application.ports.remote_cache import RemoteCacheError
from img.domain.digest import Digest
from tests.support.servers.certificates import Authority
from tests.support.servers.opened_stores import BLOB, opened, place_of
from tests.support.servers.scripted_server import Answer, Request, ScriptedServer


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
