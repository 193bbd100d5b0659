"""Mirrors, around registries in memory, and around servers that answer nonsense."""

import io

import pytest

from img.adapters.blob_origins.memory import MemoryBlobOrigins
from img.adapters.blob_store.memory import MemoryBlobStore
from img.adapters.credential_store.memory import MemoryCredentials
from img.adapters.index_store.memory import MemoryIndexStore
from img.adapters.layer_archive.tar import TarLayerArchive
from img.adapters.registry.memory import MemoryRegistry
from img.adapters.registry.mirrored import MirroredRegistry
from img.adapters.registry.oras import OrasRegistry
from img.application.ports.registry import ManifestUnknown, RegistryError
from img.application.transfer.blobs import Transfer
from img.application.transfer.download import BlobSource, Download
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.codec import encode_index
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index
from img.domain.reference import ImageReference
from img.domain.registries import Endpoint, PullFrom, RegistryBlocked, RegistryRule, RegistryRules
from tests.support.servers.scripted_server import Answer, Request, ScriptedServer

_NAME = ImageReference.parse("home.test/team/app:1")
_MIRROR = ImageReference.parse("mirror.test/x/team/app:1")
_MANIFEST = encode_index(Index())
_TARGET = Descriptor(
    media_type=media_types.OCI_INDEX, digest=Digest.of(_MANIFEST), size=len(_MANIFEST)
)
_BLOB = Descriptor(media_type=media_types.OCI_LAYER, digest=Digest.of(b"layer"), size=5)


@pytest.fixture
def registry() -> MemoryRegistry:
    """Both places have the image."""
    registry = MemoryRegistry()
    for place in (_NAME, _MIRROR):
        registry.push_manifest(place, _MANIFEST, _TARGET.media_type)
        registry.push_blob(place, _BLOB, io.BytesIO(b"layer"))
    return registry


def _mirrored(registry: MemoryRegistry, kind: PullFrom = PullFrom.ALL) -> MirroredRegistry:
    mirror = Endpoint(location="mirror.test/x", pull_from=kind)
    rules = RegistryRules(
        rules=(
            RegistryRule(prefix="home.test", mirrors=(mirror,)),
            RegistryRule(prefix="bad.test", blocked=True),
        )
    )
    return MirroredRegistry(registry, lambda: rules)


def test_the_mirror_is_asked_and_home_is_not(registry: MemoryRegistry) -> None:
    registry.lose("home.test")
    mirrored = _mirrored(registry)

    assert mirrored.resolve(_NAME) == _TARGET
    assert mirrored.manifest(_NAME, _TARGET) == _MANIFEST
    assert mirrored.open_blob(_NAME, _BLOB).read() == b"layer"


def test_where_the_mirror_is_gone_home_is_asked(registry: MemoryRegistry) -> None:
    registry.lose("mirror.test")
    mirrored = _mirrored(registry)

    assert mirrored.resolve(_NAME) == _TARGET
    assert mirrored.manifest(_NAME, _TARGET) == _MANIFEST
    assert mirrored.open_blob(_NAME, _BLOB).read() == b"layer"


def test_a_mirror_that_was_lost_is_not_asked_again(registry: MemoryRegistry) -> None:
    registry.lose("mirror.test")
    mirrored = _mirrored(registry)
    mirrored.resolve(_NAME)

    registry.find("mirror.test")
    registry.lose("home.test")

    with pytest.raises(RegistryError, match=r"home\.test"):
        mirrored.resolve(_NAME)


def test_a_blob_that_breaks_at_the_mirror_goes_on_at_home(registry: MemoryRegistry) -> None:
    content = bytes(range(256)) * 100
    blob = Descriptor(
        media_type=media_types.OCI_LAYER, digest=Digest.of(content), size=len(content)
    )
    for place in (_NAME, _MIRROR):
        registry.push_blob(place, blob, io.BytesIO(content))
    registry.cut(blob.digest, 1000, "mirror.test")

    with _mirrored(registry).open_blob(_NAME, blob, 10) as stream:
        assert stream.read() == content[10:]


def test_a_blob_that_breaks_everywhere_is_an_error(registry: MemoryRegistry) -> None:
    registry.cut(_BLOB.digest, after=2)

    with (
        _mirrored(registry).open_blob(_NAME, _BLOB) as stream,
        pytest.raises(RegistryError, match="broke the connection"),
    ):
        stream.read()


def test_what_a_mirror_lacks_comes_from_home(registry: MemoryRegistry) -> None:
    other = ImageReference.parse("home.test/other:1")
    registry.push_manifest(other, _MANIFEST, _TARGET.media_type)
    registry.push_blob(other, _BLOB, io.BytesIO(b"layer"))
    mirrored = _mirrored(registry)

    assert mirrored.resolve(other) == _TARGET
    assert mirrored.open_blob(other, _BLOB).read() == b"layer"


def test_when_all_fail_home_has_the_word_and_mirrors_are_named(registry: MemoryRegistry) -> None:
    with pytest.raises(ManifestUnknown, match=r"^home.test/none:1: not found$") as error:
        _mirrored(registry).resolve(ImageReference.parse("home.test/none:1"))

    assert error.value.hint == "mirrors failed too: mirror.test/x/none:1: not found"


def test_a_mirror_for_digests_is_not_asked_what_a_tag_is(registry: MemoryRegistry) -> None:
    mirrored = _mirrored(registry, PullFrom.DIGESTS)
    registry.lose("home.test")

    with pytest.raises(RegistryError):
        mirrored.resolve(_NAME)
    assert mirrored.resolve(_NAME.with_digest(_TARGET.digest)) == _TARGET
    assert mirrored.manifest(_NAME, _TARGET) == _MANIFEST  # by its digest


def test_what_is_pushed_goes_home(registry: MemoryRegistry) -> None:
    mirrored = _mirrored(registry)
    blob = Descriptor(media_type=media_types.OCI_LAYER, digest=Digest.of(b"new"), size=3)

    mirrored.push_blob(_NAME, blob, io.BytesIO(b"new"))
    mirrored.push_manifest(_NAME.with_tag("2"), _MANIFEST, _TARGET.media_type)

    assert mirrored.has_blob(_NAME, blob.digest)
    assert not registry.has_blob(_MIRROR, blob.digest)
    assert _NAME.with_tag("2") in registry.names


def test_a_blocked_name_is_asked_of_nobody(registry: MemoryRegistry) -> None:
    with pytest.raises(RegistryBlocked):
        _mirrored(registry).resolve(ImageReference.parse("bad.test/x"))
    with pytest.raises(RegistryBlocked):
        _mirrored(registry).push_manifest(ImageReference.parse("bad.test/x"), b"{}", "x")


# What a mirror may answer; from home everything can be had

_LAYER = bytes(range(256)) * 100
_LAYER_TARGET = Descriptor(
    media_type=media_types.OCI_LAYER, digest=Digest.of(_LAYER), size=len(_LAYER)
)
_PAGE = b"<html>log in</html>"
_HTML = {"Content-Type": "text/html; charset=utf-8"}
_OCI = {"Content-Type": media_types.OCI_INDEX}
_CHUNKED = {"Transfer-Encoding": "chunked"}


def _digest(content: bytes) -> dict[str, str]:
    return {"Docker-Content-Digest": str(Digest.of(content))}


_NONSENSE: dict[str, Answer] = {
    "a page": Answer(headers=_HTML, body=_PAGE),
    "a page as a manifest": Answer(headers=_OCI, body=_PAGE),
    "a page with its digest": Answer(headers={**_OCI, **_digest(_PAGE)}, body=_PAGE),
    "a page in chunks": Answer(
        headers={**_HTML, **_CHUNKED}, body=b"%x\r\n%b\r\n0\r\n\r\n" % (len(_PAGE), _PAGE)
    ),
    "nothing": Answer(),
    "no content": Answer(status=204),
    "no type": Answer(body=_MANIFEST[:-1]),
    "an empty object": Answer(headers=_OCI, body=b"{}"),
    "deep": Answer(headers=_OCI, body=b"[" * 60_000),
    "another digest": Answer(headers={**_OCI, **_digest(b"x")}, body=_MANIFEST),
    "other bytes of that length": Answer(headers=_OCI, body=bytes(len(_LAYER))),
    "a redirect to nowhere": Answer(status=307, headers={"Location": "http://[::1/x"}),
    "a redirect to itself": Answer(status=302, headers={"Location": "/v2/x"}),
    "a redirect to the page": Answer(status=302, headers={"Location": "/v2/"}),
    "a challenge": Answer(status=401, headers={"WWW-Authenticate": 'Bearer realm="http://["'}),
    "schema 1": Answer(headers={"Content-Type": "text/plain"}, body=b'{"schemaVersion":1}'),
    "gone": Answer(status=410),
    "a teapot": Answer(status=418),
    "broken": Answer(status=500),
    "cut": Answer(headers=_OCI, body=_MANIFEST, cut=3),
}


def _home(request: Request) -> Answer:
    name = request.path.rpartition("/")[2]
    if name in {"1", str(_TARGET.digest)}:
        return Answer(headers=_OCI, body=_MANIFEST)
    return Answer(body=_LAYER) if name == str(_LAYER_TARGET.digest) else Answer()


@pytest.mark.parametrize("answer", _NONSENSE.values(), ids=_NONSENSE.keys())
def test_whatever_a_mirror_answers_the_image_comes_from_home(answer: Answer) -> None:
    def mirror(request: Request) -> Answer:
        return Answer() if request.path == "/v2/" else answer

    with ScriptedServer(mirror) as there, ScriptedServer(_home) as home:
        rules = RegistryRules(
            rules=(RegistryRule(prefix=home.address, mirrors=(Endpoint(location=there.address),)),)
        )
        client = OrasRegistry(credentials=MemoryCredentials(), sleep=lambda _: None)
        mirrored = MirroredRegistry(client, lambda: rules)
        name = ImageReference(domain=home.address, path="team/app", tag="1")
        transfer = Transfer(
            blobs=MemoryBlobStore(),
            origins=MemoryBlobOrigins(),
            indexes=MemoryIndexStore(),
            archive=TarLayerArchive(),
            registry=mirrored,
        )

        assert mirrored.resolve(name) == _TARGET
        assert mirrored.manifest(name, _TARGET) == _MANIFEST
        assert transfer.pull_blob(name, _LAYER_TARGET) == _LAYER
        Download(blobs=MemoryBlobStore())(
            BlobSource.of_registry(mirrored, name),
            _LAYER_TARGET,
            lambda _: lambda: None,
            lambda *_: None,
        )
