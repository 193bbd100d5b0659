"""The common properties of all requests to a registry."""

from pathlib import Path

import pytest

from img import __version__
from img.adapters.credential_store.memory import MemoryCredentials
from img.adapters.registry.oras import OrasRegistry
from img.application.ports.credential_store import Credentials
from img.application.ports.registry import RegistryError
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference
from tests.support.servers.scripted_server import Answer, Request, ScriptedServer

_BLOB = Descriptor(media_type=media_types.OCI_LAYER, digest=Digest.of(b"layer"), size=5)


def _name(server: ScriptedServer) -> ImageReference:
    return ImageReference(domain=server.address, path="team/app", tag="v1")


def _client(**known: Credentials) -> OrasRegistry:
    return OrasRegistry(credentials=MemoryCredentials(known), sleep=lambda _: None)


def test_a_registry_is_told_who_asks() -> None:
    with ScriptedServer(lambda _: Answer(body=b"layer")) as server:
        _client().open_blob(_name(server), _BLOB).read()

    assert {r.headers["User-Agent"] for r in server.requests} == {f"img/{__version__}"}


def test_cookies_are_not_kept() -> None:
    with ScriptedServer(lambda _: Answer(headers={"Set-Cookie": "a=b"}, body=b"layer")) as server:
        client = _client()
        for _ in range(2):
            client.open_blob(_name(server), _BLOB).read()

    assert not any("Cookie" in request.headers for request in server.requests)


def test_passwords_of_other_programs_are_not_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login ada password secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))

    def answer(request: Request) -> Answer:
        if request.path.startswith("/v2/team/app/blobs"):
            return Answer(status=307, headers={"Location": "/elsewhere"})
        return Answer(body=b"layer")

    with ScriptedServer(answer) as server:
        _client().open_blob(_name(server), _BLOB).read()

    assert not any("Authorization" in request.headers for request in server.requests)


def test_redirects_without_end_are_an_error() -> None:
    def answer(request: Request) -> Answer:
        if request.path == "/v2/":
            return Answer()
        return Answer(status=307, headers={"Location": request.path})

    with (
        ScriptedServer(answer) as server,
        pytest.raises(RegistryError, match=r"cannot be used: Exceeded 10 redirects"),
    ):
        _client().open_blob(_name(server), _BLOB)
    assert len(server.asked("GET", "/v2/team")) == 11
