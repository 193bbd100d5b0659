"""Contract suite of registries."""

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from img.application.ports.blob_store import BlobMismatch
from img.application.ports.credential_store import Credentials
from img.application.ports.registry import (
    ManifestUnknown,
    Registry,
    RegistryError,
    Unauthorized,
)
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference

_CONFIG = b"{}"
_MANIFEST = (
    f'{{"schemaVersion":2,"mediaType":"{media_types.OCI_MANIFEST}",'
    f'"config":{{"mediaType":"{media_types.OCI_CONFIG}","digest":"{Digest.of(_CONFIG)}",'
    f'"size":{len(_CONFIG)}}},"layers":[]}}'
).encode()
_NOWHERE = Digest.of(b"nowhere")


def _descriptor(content: bytes) -> Descriptor:
    return Descriptor(
        media_type=media_types.OCI_LAYER, digest=Digest.of(content), size=len(content)
    )


CREDENTIALS = Credentials(username="ada", password="lovelace")
"""What the registry of a RegistryLoginContract accepts."""


class RegistryContract:
    """Promises of every Registry.

    Fixtures: ``registry``; ``server``, the host and port (``registry.example:5000``) of a registry
    that accepts pushes to any repository below ``team/``.
    """

    @pytest.fixture
    def name(self, server: str, request: pytest.FixtureRequest) -> ImageReference:
        """Return the name of a repository that no other test uses."""
        path = "".join(c for c in request.node.name.lower() if c.isalnum())
        return ImageReference(domain=server, path=f"team/{path[:60]}", tag="v1")

    @pytest.fixture
    def push(self, registry: Registry) -> Callable[[ImageReference], Descriptor]:
        def push(name: ImageReference) -> Descriptor:
            registry.push_blob(name, _descriptor(_CONFIG), io.BytesIO(_CONFIG))
            digest = registry.push_manifest(name, _MANIFEST, media_types.OCI_MANIFEST)
            return Descriptor(
                media_type=media_types.OCI_MANIFEST, digest=digest, size=len(_MANIFEST)
            )

        return push

    def test_what_was_pushed_under_a_tag_is_what_the_tag_stands_for(
        self,
        registry: Registry,
        name: ImageReference,
        push: Callable[[ImageReference], Descriptor],
    ) -> None:
        pushed = push(name)

        assert registry.resolve(name) == pushed
        assert pushed.digest == Digest.of(_MANIFEST)
        assert registry.manifest(name, pushed) == _MANIFEST

    def test_a_manifest_is_found_by_its_digest_too(
        self,
        registry: Registry,
        name: ImageReference,
        push: Callable[[ImageReference], Descriptor],
    ) -> None:
        pushed = push(name.with_digest(Digest.of(_MANIFEST)))

        assert registry.resolve(name.with_digest(pushed.digest)) == pushed
        with pytest.raises(ManifestUnknown):
            registry.resolve(name)  # a digest decides, so the tag beside it was not set

    def test_a_manifest_pushed_under_a_wrong_digest_is_refused(
        self, registry: Registry, name: ImageReference
    ) -> None:
        with pytest.raises(BlobMismatch):
            registry.push_manifest(name.with_digest(_NOWHERE), _MANIFEST, media_types.OCI_MANIFEST)

    def test_a_name_nobody_pushed_is_unknown(
        self, registry: Registry, name: ImageReference
    ) -> None:
        with pytest.raises(ManifestUnknown, match=f"^{name}: not found$"):
            registry.resolve(name)

    def test_a_manifest_nobody_pushed_is_unknown(
        self, registry: Registry, name: ImageReference
    ) -> None:
        target = Descriptor(media_type=media_types.OCI_MANIFEST, digest=_NOWHERE, size=2)

        with pytest.raises(ManifestUnknown, match="not found"):
            registry.manifest(name, target)

    @pytest.mark.parametrize("size", [0, 1, 3_000_000])
    def test_a_blob_comes_back_as_it_was_pushed(
        self, registry: Registry, name: ImageReference, size: int
    ) -> None:
        content = bytes(range(251)) * (size // 251) + b"x" * (size % 251)
        blob = _descriptor(content)
        stream = io.BytesIO(content)

        registry.push_blob(name, blob, stream)

        assert not stream.closed
        assert registry.has_blob(name, blob.digest)
        with registry.open_blob(name, blob) as pulled:
            assert pulled.read() == content

    def test_a_blob_is_pushed_from_the_start_of_its_content(
        self, registry: Registry, name: ImageReference
    ) -> None:
        blob = _descriptor(b"read already")
        stream = io.BytesIO(b"read already")
        stream.read()

        registry.push_blob(name, blob, stream)

        assert registry.has_blob(name, blob.digest)

    def test_pushing_a_blob_again_changes_nothing(
        self, registry: Registry, name: ImageReference
    ) -> None:
        blob = _descriptor(b"twice")

        registry.push_blob(name, blob, io.BytesIO(b"twice"))
        registry.push_blob(name, blob, io.BytesIO(b"twice"))

        assert registry.has_blob(name, blob.digest)

    def test_a_blob_that_is_not_what_its_digest_says_is_refused(
        self, registry: Registry, name: ImageReference
    ) -> None:
        blob = replace(_descriptor(b"promised"), digest=_NOWHERE)

        with pytest.raises(RegistryError, match="digest"):
            registry.push_blob(name, blob, io.BytesIO(b"promised"))

        assert not registry.has_blob(name, _NOWHERE)

    def test_a_blob_is_read_in_pieces(self, registry: Registry, name: ImageReference) -> None:
        content = b"0123456789" * 1000
        registry.push_blob(name, _descriptor(content), io.BytesIO(content))

        with registry.open_blob(name, _descriptor(content)) as pulled:
            assert pulled.read(4) == b"0123"
            assert pulled.read(6) == b"456789"
            assert pulled.read(20_000) == content[10:]
            assert pulled.read(1) == b""

    @pytest.mark.parametrize("offset", [1, 5_000, 9_999])
    def test_a_blob_is_read_from_an_offset_on(
        self, registry: Registry, name: ImageReference, offset: int
    ) -> None:
        content = b"0123456789" * 1000
        registry.push_blob(name, _descriptor(content), io.BytesIO(content))

        with registry.open_blob(name, _descriptor(content), offset) as pulled:
            assert pulled.read() == content[offset:]

    def test_a_blob_of_another_repository_is_mounted(
        self, registry: Registry, name: ImageReference
    ) -> None:
        source = replace(name, path=f"{name.path}/source")
        blob = _descriptor(b"shared")
        registry.push_blob(source, blob, io.BytesIO(b"shared"))

        assert registry.mount_blob(name, blob, source)

        assert registry.has_blob(name, blob.digest)
        with registry.open_blob(name, blob) as pulled:
            assert pulled.read() == b"shared"

    def test_a_blob_that_the_other_repository_lacks_is_not_mounted(
        self, registry: Registry, name: ImageReference
    ) -> None:
        source = replace(name, path=f"{name.path}/source")
        blob = _descriptor(b"nowhere to be mounted from")

        assert not registry.mount_blob(name, blob, source)

        assert not registry.has_blob(name, blob.digest)

    def test_a_missing_blob_is_told_from_a_present_one(
        self, registry: Registry, name: ImageReference, push: Callable[[ImageReference], Descriptor]
    ) -> None:
        push(name)

        assert not registry.has_blob(name, _NOWHERE)
        with pytest.raises(RegistryError, match=str(_NOWHERE)):
            registry.open_blob(name, Descriptor(media_type="x", digest=_NOWHERE, size=1))

    def test_repositories_do_not_share_names(
        self,
        registry: Registry,
        name: ImageReference,
        push: Callable[[ImageReference], Descriptor],
    ) -> None:
        push(name)

        with pytest.raises(ManifestUnknown):
            registry.resolve(replace(name, path=f"{name.path}/other"))

    def test_several_threads_push_and_pull_at_once(
        self, registry: Registry, name: ImageReference
    ) -> None:
        contents = [bytes([i]) * 100_000 for i in range(12)]

        def there_and_back(content: bytes) -> bytes:
            registry.push_blob(name, _descriptor(content), io.BytesIO(content))
            with registry.open_blob(name, _descriptor(content)) as pulled:
                return pulled.read()

        with ThreadPoolExecutor(6) as pool:
            assert list(pool.map(there_and_back, contents)) == contents


class RegistryLoginContract:
    """Promises of every Registry about logins.

    Fixtures: ``locked``, a registry and its host and port; it accepts CREDENTIALS and no others.
    """

    def test_a_login_with_the_right_password_is_taken(self, locked: tuple[Registry, str]) -> None:
        registry, server = locked

        registry.check_login(server, CREDENTIALS)

    def test_a_login_with_a_wrong_password_is_refused(self, locked: tuple[Registry, str]) -> None:
        registry, server = locked

        with pytest.raises(Unauthorized) as refused:
            registry.check_login(server, Credentials(username="ada", password="wrong"))
        assert refused.value.hint
