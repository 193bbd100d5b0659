"""A real registry with a separate token server, like Docker Hub and GitLab."""

import io
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from img.adapters.credential_store.memory import MemoryCredentials
from img.adapters.registry.connections import Access
from img.adapters.registry.contents import OrasRegistryContents
from img.adapters.registry.oras import OrasRegistry
from img.application.ports.credential_store import Credentials
from img.application.ports.registry import Unauthorized
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference
from tests.support.host.machine import lacking
from tests.support.servers.registry_server import PROGRAM, RegistryServer
from tests.support.servers.token_server import TokenServer

pytestmark = pytest.mark.registry

_ADA = Credentials(username="ada", password="lovelace")
_REFRESH = Credentials(identity_token="refresh me")


class Place:
    """A registry, and the server of its tokens."""

    def __init__(self, tokens: TokenServer, address: str) -> None:
        self.tokens = tokens
        self.address = address

    def name(self, path: str, tag: str = "v1") -> ImageReference:
        return ImageReference(domain=self.address, path=path, tag=tag)

    def client(self, who: Credentials | None = None) -> OrasRegistry:
        known = MemoryCredentials({self.address: who} if who else {})
        return OrasRegistry(credentials=known, sleep=lambda _: None)

    def asked(self) -> list[tuple[str, list[str]]]:
        """Return the users and scopes of tokens since the last call, and forget them."""
        answers = [(one.user, one.scopes) for one in self.tokens.granted]
        self.tokens.granted.clear()
        return answers


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    if PROGRAM is None:
        lacking("docker-registry is not installed")
    with ExitStack() as stack:
        tokens = stack.enter_context(
            TokenServer(tmp_path, {"ada": "lovelace"}, {"refresh me": "ada"})
        )
        server = stack.enter_context(RegistryServer(token=tokens.config))
        yield Place(tokens, server.address)


def _blob(content: bytes) -> Descriptor:
    return Descriptor(
        media_type=media_types.OCI_LAYER, digest=Digest.of(content), size=len(content)
    )


def _push(registry: OrasRegistry, name: ImageReference, content: bytes) -> Descriptor:
    registry.push_blob(name, _blob(content), io.BytesIO(content))
    return _blob(content)


def test_nobody_may_pull_what_is_public_and_push_nothing(place: Place) -> None:
    name = place.name("public/app")
    blob = _push(place.client(_ADA), name, b"layer")

    assert place.client().open_blob(name, blob).read() == b"layer"
    with pytest.raises(Unauthorized, match="insufficient_scope: authorization failed") as error:
        _push(place.client(), name, b"other")
    assert error.value.hint is not None
    assert f"img login {place.address}" in error.value.hint


def test_one_token_a_scope_serves_all_requests(place: Place) -> None:
    ada, name = place.client(_ADA), place.name("team/app")
    blobs = [_push(ada, name, bytes([i])) for i in range(3)]
    for blob in blobs:
        ada.open_blob(name, blob).read()

    assert place.asked() == [
        ("ada", ["repository:team/app:pull,push"]),
        ("ada", ["repository:team/app:pull"]),
    ]


def test_who_pulled_and_then_pushes_asks_for_more(place: Place) -> None:
    name = place.name("team/app")
    blob = _push(place.client(_ADA), name, b"layer")
    ada = place.client(_ADA)
    place.asked()

    ada.open_blob(name, blob).read()
    _push(ada, name, b"other")

    assert [scopes for _, scopes in place.asked()] == [
        ["repository:team/app:pull"],
        ["repository:team/app:pull,push"],
    ]


def test_a_blob_is_mounted_with_a_token_for_both_repositories(place: Place) -> None:
    ada = place.client(_ADA)
    blob = _push(ada, place.name("team/base"), b"layer")

    place.asked()

    assert ada.mount_blob(place.name("team/app"), blob, place.name("team/base"))
    assert place.asked() == [
        ("ada", ["repository:team/app:pull,push", "repository:team/base:pull"])
    ]
    assert ada.has_blob(place.name("team/app"), blob.digest)


def test_an_identity_token_buys_others(place: Place) -> None:
    name = place.name("team/app")

    blob = _push(place.client(_REFRESH), name, b"layer")

    assert place.client(_REFRESH).has_blob(name, blob.digest)
    kinds = {(one.user, one.method, one.grant_type) for one in place.tokens.granted}
    assert kinds == {("ada", "POST", "refresh_token")}
    sent = b"".join(request.body for request in place.tokens.requests)
    assert b"refresh+me" in sent
    assert "refresh" not in "".join(request.path for request in place.tokens.requests)


class _Slow(io.BytesIO):
    """Content that takes so long to come that a token runs out meanwhile."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() == 0:
            time.sleep(4.5)  # longer than the token is valid
        return super().read(size)


def test_a_token_that_runs_out_in_the_middle_of_a_push_is_replaced(place: Place) -> None:
    place.tokens.short = 1
    ada, name = place.client(_ADA), place.name("team/app")

    ada.push_blob(name, _blob(b"slow"), _Slow(b"slow"))
    _push(ada, name, b"after")

    assert [scopes for _, scopes in place.asked()] == [["repository:team/app:pull,push"]] * 2
    assert ada.open_blob(name, _blob(b"slow")).read() == b"slow"


def test_a_wrong_password_is_told_as_such(place: Place) -> None:
    wrong = place.client(Credentials(username="ada", password="wrong"))

    with pytest.raises(Unauthorized, match="refuses the credentials of ada"):
        _push(wrong, place.name("team/app"), b"layer")


def test_a_login_is_checked_with_the_token_server(place: Place) -> None:
    place.client().check_login(place.address, _ADA)
    place.client().check_login(place.address, _REFRESH)
    with pytest.raises(Unauthorized):
        place.client().check_login(place.address, Credentials(username="ada", password="wrong"))


def test_lists_and_removals_have_scopes_of_their_own(place: Place) -> None:
    name = place.name("team/app")
    ada = place.client(_ADA)
    config = _push(ada, name, b"{}")
    manifest = (
        f'{{"schemaVersion":2,"mediaType":"{media_types.OCI_MANIFEST}","config":{{"mediaType":'
        f'"{media_types.OCI_CONFIG}","digest":"{config.digest}","size":2}},"layers":[]}}'
    ).encode()
    digest = ada.push_manifest(name, manifest, media_types.OCI_MANIFEST)
    contents = OrasRegistryContents(
        Access(credentials=MemoryCredentials({place.address: _ADA}), sleep=lambda _: None)
    )
    place.asked()

    assert list(contents.repositories(place.address)) == ["team/app"]
    assert list(contents.tags(name)) == ["v1"]
    contents.delete(name.with_digest(digest))

    assert [scopes[0] for _, scopes in place.asked()] == [
        "registry:catalog:*",
        "repository:team/app:pull",
        "repository:team/app:delete,pull",
    ]
