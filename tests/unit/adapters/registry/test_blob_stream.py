"""Downloads of blobs from registries and storages that misbehave."""

import base64

import pytest

from img.application.ports.credential_store import Credentials
from img.application.ports.registry import RegistryError
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.descriptor import Descriptor
from tests.support.servers.oras_client import in_turn, name_at, oras_client
from tests.support.servers.scripted_server import Answer, Request, ScriptedServer

_BLOB = bytes(range(256)) * 4096  # a mebibyte
_BLOB_TARGET = Descriptor(
    media_type=media_types.OCI_LAYER_GZIP, digest=Digest.of(_BLOB), size=len(_BLOB)
)
_ADA = Credentials(username="ada", password="lovelace")
_ADA_BASIC = "Basic " + base64.b64encode(b"ada:lovelace").decode()


def _range(request: Request) -> int | None:
    wanted: str | None = request.headers.get("Range")
    return int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else None


def _in_chunks(body: bytes) -> Answer:
    headers = {"Transfer-Encoding": "chunked", "Content-Length": ""}
    return Answer(headers=headers, body=b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))


def test_a_cut_blob_is_taken_up_where_it_broke() -> None:
    def answer(request: Request) -> Answer:
        start = _range(request)
        if start is None:
            return Answer(body=_BLOB, cut=300_000)
        headers = {"Content-Range": f"bytes {start}-{len(_BLOB) - 1}/{len(_BLOB)}"}
        return Answer(status=206, headers=headers, body=_BLOB[start:])

    with (
        ScriptedServer(answer) as server,
        oras_client().open_blob(name_at(server), _BLOB_TARGET) as stream,
    ):
        assert stream.read() == _BLOB
    assert len(server.asked("GET", "/v2/team")) == 2


def test_a_registry_without_ranges_sends_the_cut_blob_again() -> None:
    cuts = [300_000, None]

    def answer(request: Request) -> Answer:
        cut = cuts.pop(0) if request.path != "/v2/" else None
        return Answer(body=_BLOB, cut=cut)

    with (
        ScriptedServer(answer) as server,
        oras_client().open_blob(name_at(server), _BLOB_TARGET) as stream,
    ):
        assert stream.read() == _BLOB


def test_a_blob_that_breaks_again_and_again_is_an_error() -> None:
    with (
        ScriptedServer(in_turn(Answer(body=_BLOB, cut=300_000))) as server,
        oras_client().open_blob(name_at(server), _BLOB_TARGET) as stream,
        pytest.raises(RegistryError) as failure,
    ):
        stream.read()
    assert failure.value.retryable


def test_a_blob_that_ends_too_early_is_an_error() -> None:
    with (
        ScriptedServer(in_turn(_in_chunks(_BLOB[:1000]))) as server,
        oras_client().open_blob(name_at(server), _BLOB_TARGET) as stream,
        pytest.raises(RegistryError, match=f"of {len(_BLOB)} bytes"),
    ):
        stream.read()


def test_a_blob_without_end_is_an_error() -> None:
    with (
        ScriptedServer(in_turn(_in_chunks(_BLOB + b"more"))) as server,
        oras_client().open_blob(name_at(server), _BLOB_TARGET) as stream,
        pytest.raises(RegistryError, match="more than"),
    ):
        stream.read()


@pytest.mark.parametrize("body", [b"", b"<html>log in</html>", _BLOB + b"more"])
def test_a_blob_of_another_length_is_not_even_read(body: bytes) -> None:
    with ScriptedServer(in_turn(Answer(body=body))) as server:
        with pytest.raises(RegistryError, match=f"has {len(body)} bytes under the name of blob"):
            oras_client().open_blob(name_at(server), _BLOB_TARGET)
        assert len(server.asked("GET", "/v2/team")) == 1


def test_another_resume_than_asked_for_is_an_error() -> None:
    def answer(request: Request) -> Answer:
        if _range(request) is None:
            return Answer(body=_BLOB, cut=300_000)
        return Answer(status=206, headers={"Content-Range": "bytes 7-9/10"}, body=b"abc")

    with (
        ScriptedServer(answer) as server,
        oras_client().open_blob(name_at(server), _BLOB_TARGET) as stream,
        pytest.raises(RegistryError, match="wrong place"),
    ):
        stream.read()


def test_a_layer_that_lives_elsewhere_is_fetched_from_there_as_nobody() -> None:
    with ScriptedServer(lambda _: Answer(body=_BLOB)) as elsewhere:
        missing = Answer(status=404)
        with ScriptedServer(in_turn(missing)) as server:
            blob = Descriptor(
                media_type=media_types.DOCKER_FOREIGN_LAYER,
                digest=_BLOB_TARGET.digest,
                size=_BLOB_TARGET.size,
                urls=(f"http://{elsewhere.address}/layer",),
            )
            client = oras_client({server.address: _ADA})
            with client.open_blob(name_at(server), blob) as stream:
                assert stream.read() == _BLOB
    assert "Authorization" not in elsewhere.requests[0].headers


def test_a_redirect_takes_no_authorization_along() -> None:
    with ScriptedServer(lambda _: Answer(body=_BLOB)) as storage:

        def answer(request: Request) -> Answer:
            if request.headers.get("Authorization") != _ADA_BASIC:
                return Answer(status=401, headers={"WWW-Authenticate": 'Basic realm="r"'})
            # Another name for the same machine, so another host.
            port = storage.address.partition(":")[2]
            return Answer(status=307, headers={"Location": f"http://localhost:{port}/data"})

        with ScriptedServer(answer) as server:
            client = oras_client({server.address: _ADA})
            with client.open_blob(name_at(server), _BLOB_TARGET) as stream:
                assert stream.read() == _BLOB
            assert client.has_blob(name_at(server), _BLOB_TARGET.digest)
    assert [r.path for r in storage.requests] == ["/data"]
    assert "Authorization" not in storage.requests[0].headers
