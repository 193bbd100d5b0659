"""Manifests of all sizes, and documents that are not what they should be."""

import json

import pytest

from img.adapters.credential_store.memory import MemoryCredentials
from img.adapters.registry.oras import OrasRegistry
from img.application.ports.registry import RegistryError
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference
from tests.support.servers.scripted_server import Answer, Request, ScriptedServer


def _client() -> OrasRegistry:
    return OrasRegistry(credentials=MemoryCredentials(), sleep=lambda _: None)


def _name(server: ScriptedServer) -> ImageReference:
    return ImageReference(domain=server.address, path="team/app", tag="v1")


def _manifest(padding: int) -> bytes:
    notes = {"padding": "x" * padding}
    document = {"schemaVersion": 2, "mediaType": media_types.OCI_MANIFEST, "annotations": notes}
    return json.dumps(document).encode()


def _serving(content: bytes) -> Answer:
    return Answer(headers={"Content-Type": media_types.OCI_MANIFEST}, body=content)


def _target(content: bytes) -> Descriptor:
    return Descriptor(
        media_type=media_types.OCI_MANIFEST, digest=Digest.of(content), size=len(content)
    )


def test_a_manifest_of_more_than_four_mebibytes_is_taken() -> None:
    content = _manifest(5 << 20)
    with ScriptedServer(lambda _: _serving(content)) as server:
        assert _client().manifest(_name(server), _target(content)) == content


def test_a_manifest_without_end_is_not() -> None:
    content = _manifest(33 << 20)
    with (
        ScriptedServer(lambda _: _serving(content)) as server,
        pytest.raises(RegistryError, match=r"a document of more than \d+ bytes"),
    ):
        _client().manifest(_name(server), _target(content))


def test_a_token_without_end_is_none() -> None:
    def answer(request: Request) -> Answer:
        if request.path == "/v2/":
            return Answer()
        if request.path.startswith("/token"):
            return Answer(body=json.dumps({"token": "x" * (65 << 10)}).encode())
        challenge = f'Bearer realm="http://{server.address}/token"'
        return Answer(status=401, headers={"WWW-Authenticate": challenge})

    with (
        ScriptedServer(answer) as server,
        pytest.raises(RegistryError, match="answers without a token"),
    ):
        _client().resolve(_name(server))


@pytest.mark.parametrize("scheme", ["Negotiate", "NTLM", 'Digest realm="x", nonce="y"'])
def test_ways_that_nobody_knows_here_are_passed_over(scheme: str) -> None:
    content = _manifest(0)

    def answer(request: Request) -> Answer:
        if request.path == "/v2/" or "Authorization" in request.headers:
            return _serving(content)
        challenge = f'Bearer realm="http://{server.address}/token"'
        if request.path.startswith("/token"):
            return Answer(body=b'{"access_token": "t"}')
        return Answer(status=401, headers={"WWW-Authenticate": f"{scheme}, {challenge}"})

    with ScriptedServer(answer) as server:
        assert _client().manifest(_name(server), _target(content)) == content
