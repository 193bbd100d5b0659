"""OrasRegistry against servers that misbehave."""

import base64
import io
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from email.utils import formatdate

import pytest

from img.adapters.registry.oras import OrasRegistry
from img.application.ports.blob_store import BlobMismatch
from img.application.ports.credential_store import Credentials
from img.application.ports.registry import ManifestUnknown, RegistryError, Unauthorized
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference
from tests.support.servers.oras_client import Naps, in_turn, name_at, oras_client
from tests.support.servers.scripted_server import Answer, Request, ScriptedServer

_MANIFEST = json.dumps({"schemaVersion": 2, "mediaType": media_types.OCI_MANIFEST}).encode()
_TARGET = Descriptor(
    media_type=media_types.OCI_MANIFEST, digest=Digest.of(_MANIFEST), size=len(_MANIFEST)
)
_BLOB = bytes(range(256)) * 4096  # a mebibyte
_BLOB_TARGET = Descriptor(
    media_type=media_types.OCI_LAYER_GZIP, digest=Digest.of(_BLOB), size=len(_BLOB)
)
_ADA = Credentials(username="ada", password="lovelace")
_ADA_BASIC = "Basic " + base64.b64encode(b"ada:lovelace").decode()
_OK = Answer(headers={"Content-Type": media_types.OCI_MANIFEST}, body=_MANIFEST)


# What a registry says


def test_a_manifest_that_is_not_what_was_promised_is_refused() -> None:
    with (
        ScriptedServer(in_turn(Answer(body=b"{}"))) as server,
        pytest.raises(BlobMismatch) as mismatch,
    ):
        oras_client().manifest(name_at(server), _TARGET)
    assert mismatch.value.actual == Digest.of(b"{}")


def test_a_manifest_that_claims_to_be_something_else_is_refused() -> None:
    announced = Descriptor(
        media_type=media_types.OCI_INDEX, digest=_TARGET.digest, size=_TARGET.size
    )
    with ScriptedServer(in_turn(_OK)) as server, pytest.raises(RegistryError, match="announced"):
        oras_client().manifest(name_at(server), announced)


def test_all_four_types_of_manifest_are_asked_for() -> None:
    with ScriptedServer(in_turn(_OK)) as server:
        oras_client().resolve(name_at(server))
    accept = server.asked("GET", "/v2/team/app/manifests/v1")[0].headers["Accept"]
    assert set(accept.split(", ")) == media_types.MANIFESTS | media_types.INDEXES


def test_head_is_enough_to_resolve_a_name() -> None:
    headers = {
        "Content-Type": f"{media_types.OCI_MANIFEST}; charset=utf-8",
        "Docker-Content-Digest": str(_TARGET.digest),
        "Content-Length": str(_TARGET.size),
    }
    with ScriptedServer(in_turn(Answer(headers=headers))) as server:
        assert oras_client().resolve(name_at(server)) == _TARGET
    assert not server.asked("GET", "/v2/team")


def test_a_registry_that_says_too_little_at_head_is_asked_with_get() -> None:
    served = Answer(headers={"Content-Type": "text/plain"}, body=_MANIFEST)
    with ScriptedServer(in_turn(Answer(status=405), served)) as server:
        assert oras_client().resolve(name_at(server)) == _TARGET


def test_an_image_of_schema_1_is_refused_with_a_reason() -> None:
    schema_1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"
    served = Answer(headers={"Content-Type": schema_1}, body=b"{}")
    with ScriptedServer(in_turn(served)) as server, pytest.raises(RegistryError, match="schema 1"):
        oras_client().resolve(name_at(server))


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream", ""])
def test_an_image_of_schema_1_is_known_by_its_shape(kind: str, signed: bool) -> None:
    document = {"schemaVersion": 1, "fsLayers": [], **({"signatures": []} if signed else {})}
    headers = {"Content-Type": kind} if kind else {}
    served = Answer(headers=headers, body=json.dumps(document).encode())
    with ScriptedServer(in_turn(served)) as server, pytest.raises(RegistryError, match="schema 1"):
        oras_client().resolve(name_at(server))


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"Content-Type": "text/html; charset=utf-8"}, "is no image but text/html"),
        ({"Content-Type": "application/vnd.example.artifact"}, "is no image but application/vnd"),
        ({}, "is no image but a document that does not say of what kind it is"),
        ({"Content-Type": " ; q=1"}, "is no image but a document that does not say"),
    ],
)
def test_what_is_no_image_is_told_as_what_it_is(headers: dict[str, str], said: str) -> None:
    served = Answer(headers=headers, body=b"<html>")
    with ScriptedServer(in_turn(served)) as server, pytest.raises(RegistryError, match=said):
        oras_client().resolve(name_at(server))


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "application/json"}])
def test_a_manifest_of_a_general_type_is_known_by_its_shape(headers: dict[str, str]) -> None:
    content = b'{"schemaVersion":2,"manifests":[]}'
    with ScriptedServer(in_turn(Answer(headers=headers, body=content))) as server:
        assert oras_client().resolve(name_at(server)).media_type == media_types.OCI_INDEX


_OF_A_PUSH: dict[str, Callable[[OrasRegistry, ImageReference], object]] = {
    "look for a blob": lambda registry, name: registry.has_blob(name, _BLOB_TARGET.digest),
    "blob": lambda registry, name: registry.push_blob(name, _BLOB_TARGET, io.BytesIO(_BLOB)),
    "manifest": lambda registry, name: registry.push_manifest(name, b"{}", "x/y"),
}


@pytest.mark.parametrize("use", _OF_A_PUSH.values(), ids=_OF_A_PUSH.keys())
@pytest.mark.parametrize("status", [403, 418])
def test_an_error_of_a_push_is_told_as_one(
    use: Callable[[OrasRegistry, ImageReference], object], status: int
) -> None:
    with ScriptedServer(in_turn(Answer(status=status))) as server:
        with pytest.raises(RegistryError) as refused:
            use(oras_client(), name_at(server))
        assert refused.value.message.startswith(f"push of {name_at(server)}: {status} ")


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_a_manifest_is_pushed_with_every_status_of_success(status: int) -> None:
    stored = {"Docker-Content-Digest": str(_TARGET.digest)}
    _push(in_turn(Answer(status=status, headers=stored)))


def test_who_may_push_need_not_be_one_who_may_pull() -> None:
    _push(in_turn(Answer(status=201), Answer(status=403)))


def test_a_missing_image_is_named() -> None:
    with ScriptedServer(in_turn(Answer(status=404))) as server:
        name = name_at(server)
        with pytest.raises(ManifestUnknown) as unknown:
            oras_client().resolve(name)
    assert unknown.value.message == f"{name}: not found"


def test_what_a_registry_says_of_an_error_is_passed_on() -> None:
    errors = {"errors": [{"code": "DENIED", "message": "requested access is denied"}]}
    refused = Answer(status=403, body=json.dumps(errors).encode())
    with ScriptedServer(in_turn(refused)) as server:
        with pytest.raises(Unauthorized) as denied:
            oras_client().push_manifest(name_at(server), _MANIFEST, media_types.OCI_MANIFEST)
        assert "denied: requested access is denied" in denied.value.message
        assert denied.value.hint is not None
        assert f"img login {server.address}" in denied.value.hint


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"errors":[1]}', b'{"errors":[]}'])
def test_an_error_without_sense_is_told_by_its_status(body: bytes) -> None:
    with (
        ScriptedServer(in_turn(Answer(status=400, body=body))) as server,
        pytest.raises(RegistryError, match="400 Bad Request"),
    ):
        oras_client().push_manifest(name_at(server), _MANIFEST, media_types.OCI_MANIFEST)


def _push(answer: Callable[[Request], Answer]) -> None:
    with ScriptedServer(answer) as server:
        oras_client().push_manifest(name_at(server), _MANIFEST, media_types.OCI_MANIFEST)


def test_who_names_no_digest_of_what_was_pushed_is_asked() -> None:
    described = {"Content-Type": media_types.OCI_MANIFEST, "Content-Length": str(len(_MANIFEST))}
    stored = Answer(headers={**described, "Docker-Content-Digest": str(_TARGET.digest)})
    _push(in_turn(Answer(status=201), stored))


def test_who_took_a_manifest_and_has_it_not_is_found_out() -> None:
    with pytest.raises(RegistryError, match="has another one under that name, or none"):
        _push(in_turn(Answer(status=201), Answer(status=404)))


# Other tries


def test_a_passing_failure_is_tried_again() -> None:
    naps = Naps()
    with ScriptedServer(in_turn(Answer(status=503), Answer(status=500), _OK)) as server:
        assert oras_client(sleep=naps).manifest(name_at(server), _TARGET) == _MANIFEST
    assert len(naps) == 2


def test_a_failure_that_stays_comes_out_after_a_few_seconds() -> None:
    naps = Naps()
    with (
        ScriptedServer(in_turn(Answer(status=502))) as server,
        pytest.raises(RegistryError, match="502") as failure,
    ):
        oras_client(sleep=naps).manifest(name_at(server), _TARGET)
    assert failure.value.retryable
    assert sum(naps) < 10


def test_a_registry_may_say_how_long_to_wait() -> None:
    naps = Naps()
    busy = Answer(status=429, headers={"Retry-After": "3"})
    with ScriptedServer(in_turn(busy, _OK)) as server:
        oras_client(sleep=naps).manifest(name_at(server), _TARGET)
    assert naps == [3.0]


def test_a_registry_may_say_until_when_to_wait() -> None:
    naps = Naps()
    until = formatdate(time.time() + 19, usegmt=True)
    busy = Answer(status=429, headers={"Retry-After": until})
    with ScriptedServer(in_turn(busy, _OK)) as server:
        oras_client(sleep=naps).manifest(name_at(server), _TARGET)
    assert 1 <= naps[0] <= 19


def test_a_long_wait_is_the_users_to_decide() -> None:
    naps = Naps()
    errors = {"errors": [{"code": "TOOMANYREQUESTS", "message": "your pull rate limit"}]}
    busy = Answer(status=429, headers={"Retry-After": "3600"}, body=json.dumps(errors).encode())
    with (
        ScriptedServer(in_turn(busy)) as server,
        pytest.raises(RegistryError, match="toomanyrequests: your pull rate limit") as limit,
    ):
        oras_client(sleep=naps).manifest(name_at(server), _TARGET)
    assert naps == []
    assert limit.value.hint is not None
    assert "img login" in limit.value.hint


def test_a_registry_that_is_not_there_is_named_with_the_reason() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        name = ImageReference.parse(f"127.0.0.1:{unused.getsockname()[1]}/app")
        with pytest.raises(RegistryError) as failure:
            oras_client().resolve(name)
    assert failure.value.message == (
        f"registry {name.domain} cannot be reached: connection refused"
    )


# Noise


def test_neither_oras_nor_requests_are_loaded_before_they_are_needed() -> None:
    code = (
        "import sys, img.adapters.registry.oras as o, img.adapters.credential_store.memory as m;"
        "o.OrasRegistry(credentials=m.MemoryCredentials());"
        "assert not {'oras', 'requests', 'urllib3'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_oras_alone_needs_is_loaded_when_it_needs_it() -> None:
    code = (
        "import sys, img.adapters.registry.connection, oras.provider;"
        "assert not {'attrs', 'jsonschema'} & set(sys.modules);"
        "oras.provider.jsonschema.validate(1, {});"
        "import jsonschema.validators"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_failures_write_nothing_on_stderr() -> None:
    code = (
        "import img.adapters.registry.oras as o, img.adapters.credential_store.memory as m;"
        "from img.domain.reference import ImageReference as R\n"
        "r = o.OrasRegistry(credentials=m.MemoryCredentials(), sleep=lambda s: None)\n"
        "try: r.resolve(R.parse('{}/app'))\n"
        "except o.RegistryError: pass"
    )
    with ScriptedServer(in_turn(Answer(status=500, body=b'{"errors":[{"code":"X"}]}'))) as server:
        done = subprocess.run(
            [sys.executable, "-c", code.format(server.address)],
            check=True,
            capture_output=True,
        )
    assert (done.stdout, done.stderr) == (b"", b"")
