"""Uploads to servers that misbehave."""

import base64
import io
from collections.abc import Callable

import pytest

from img.adapters.credential_store.memory import MemoryCredentials
from img.adapters.registry.oras import OrasRegistry
from img.application.ports.credential_store import Credentials
from img.application.ports.registry import RegistryError
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference
from tests.support.servers.scripted_server import Answer, Request, ScriptedServer

_BLOB = bytes(range(256)) * 4096  # a mebibyte
_BLOB_TARGET = Descriptor(
    media_type=media_types.OCI_LAYER_GZIP, digest=Digest.of(_BLOB), size=len(_BLOB)
)
_ADA = Credentials(username="ada", password="lovelace")
_ADA_BASIC = "Basic " + base64.b64encode(b"ada:lovelace").decode()


def _client(known: dict[str, Credentials] | None = None) -> OrasRegistry:
    return OrasRegistry(credentials=MemoryCredentials(known), sleep=lambda _: None)


def _name(server: ScriptedServer) -> ImageReference:
    return ImageReference(domain=server.address, path="team/app", tag="v1")


def _upload_to(location: str, log: list[bytes]) -> Callable[[Request], Answer]:
    def answer(request: Request) -> Answer:
        if request.method == "POST":
            return Answer(status=202, headers={"Location": location})
        if request.method == "PUT":
            log.append(request.body)
            return Answer(status=201)
        return Answer()

    return answer


@pytest.mark.parametrize("location", ["/v2/team/app/blobs/uploads/1?state=a%2Fb", "/elsewhere"])
def test_a_relative_location_keeps_its_query(location: str) -> None:
    log: list[bytes] = []
    with ScriptedServer(_upload_to(location, log)) as server:
        _client().push_blob(_name(server), _BLOB_TARGET, io.BytesIO(_BLOB))
    separator = "&" if "?" in location else "?"
    put = server.asked("PUT", "/")[0]
    assert put.path == f"{location}{separator}digest={_BLOB_TARGET.digest}"
    assert put.headers["Content-Length"] == str(len(_BLOB))
    assert log == [_BLOB]


def test_an_upload_to_another_host_goes_without_our_name() -> None:
    log: list[bytes] = []
    with ScriptedServer(_upload_to("", log)) as storage:

        def answer(request: Request) -> Answer:
            if request.headers.get("Authorization") != _ADA_BASIC:
                return Answer(status=401, headers={"WWW-Authenticate": 'Basic realm="r"'})
            return Answer(status=202, headers={"Location": f"http://{storage.address}/u"})

        with ScriptedServer(answer) as server:
            client = _client({server.address: _ADA})
            client.push_blob(_name(server), _BLOB_TARGET, io.BytesIO(_BLOB))
    assert log == [_BLOB]
    assert "Authorization" not in storage.requests[0].headers


def test_a_failed_upload_starts_over_with_all_of_the_content() -> None:
    log: list[bytes] = []
    failures = [Answer(status=500), Answer(status=404)]

    def answer(request: Request) -> Answer:
        if request.method == "PUT" and failures:
            return failures.pop()
        if request.method in {"HEAD", "GET"} and request.path != "/v2/":
            return Answer(status=404)
        return _upload_to("/u", log)(request)

    with ScriptedServer(answer) as server:
        _client().push_blob(_name(server), _BLOB_TARGET, io.BytesIO(_BLOB))
    assert log == [_BLOB]
    assert len(server.asked("POST", "/")) == 3


def test_a_login_in_the_middle_of_an_upload_sends_the_content_again() -> None:
    log: list[bytes] = []

    def answer(request: Request) -> Answer:
        if request.method == "PUT" and "Authorization" not in request.headers:
            return Answer(status=401, headers={"WWW-Authenticate": 'Basic realm="r"'})
        return _upload_to("/u", log)(request)

    with ScriptedServer(answer) as server:
        client = _client({server.address: _ADA})
        client.push_blob(_name(server), _BLOB_TARGET, io.BytesIO(_BLOB))
    assert log == [_BLOB]


def test_an_upload_without_a_place_is_an_error() -> None:
    with (
        ScriptedServer(lambda _: Answer(status=202)) as server,
        pytest.raises(RegistryError, match="no place"),
    ):
        _client().push_blob(_name(server), _BLOB_TARGET, io.BytesIO(_BLOB))
