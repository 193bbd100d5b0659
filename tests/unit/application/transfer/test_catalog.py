"""Documents of stored images."""

import pytest

from img.application.ports.blob_store import BlobNotFound
from img.domain.errors import StateError
from img.domain.oci import media_types
from img.domain.oci.codec import encode_config, encode_manifest
from img.domain.oci.config import ImageConfig
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import NoPlatformMatch
from img.domain.oci.manifest import Manifest
from img.domain.platform import DefaultPlatform, Platform
from tests.support.in_memory_app import ELSEWHERE, HERE, InMemoryApp, image_of


def put(app: InMemoryApp, content: bytes, media_type: str) -> Descriptor:
    writer = app.blobs.writer()
    writer.write(content)
    return Descriptor(media_type=media_type, digest=writer.commit(), size=len(content))


def test_of_an_index_the_image_for_a_platform_is_found() -> None:
    app = InMemoryApp()
    built = app.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, platforms=[HERE, ELSEWHERE])

    found = app.catalog.image(built.target, ELSEWHERE)
    assert found.manifest == built.images[1].manifest
    with pytest.raises(NoPlatformMatch):
        app.catalog.image(built.target, Platform("linux", "mips"))


def test_an_image_for_another_platform_is_refused_if_the_user_named_one() -> None:
    app = InMemoryApp()
    built = image_of(app.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, platforms=[ELSEWHERE]))

    with pytest.raises(NoPlatformMatch, match=rf"{HERE} \(available: {ELSEWHERE}\)"):
        app.catalog.image(built.target, HERE)
    for wanted in (ELSEWHERE, DefaultPlatform(HERE)):
        assert app.catalog.image(built.target, wanted).config.platform == ELSEWHERE


def test_only_manifests_that_are_here_are_listed() -> None:
    app = InMemoryApp()
    built = app.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, platforms=[HERE, ELSEWHERE])
    here, elsewhere = (image.target.digest for image in built.images)
    app.blobs.remove(elsewhere)

    assert [m.digest for m in app.catalog.manifests(built.target)] == [here]


def test_an_image_whose_config_and_manifest_disagree_is_corrupt() -> None:
    app = InMemoryApp()
    config = put(app, encode_config(ImageConfig(platform=HERE)), media_types.OCI_CONFIG)
    layer = app.layer({"a": b"1"}).descriptor
    manifest = encode_manifest(Manifest(config=config, layers=(layer,)))
    target = put(app, manifest, media_types.OCI_MANIFEST)

    with pytest.raises(StateError, match="has 1 layers, but its config names 0") as corrupt:
        app.catalog.image(target, HERE)

    assert corrupt.value.exit_code == 8


def test_a_missing_document_is_said() -> None:
    app = InMemoryApp()
    built = image_of(app.build("FROM scratch\nCOPY a /\n", {"a": b"1"}))
    app.blobs.remove(built.target.digest)

    with pytest.raises(BlobNotFound):
        app.catalog.image(built.target, HERE)


def test_a_size_is_that_of_manifest_config_and_layers() -> None:
    app = InMemoryApp()
    built = image_of(app.build("FROM scratch\nCOPY a /\n", {"a": b"1"}))

    (layer,) = built.manifest.layers
    assert built.size == built.target.size + built.manifest.config.size + layer.size
