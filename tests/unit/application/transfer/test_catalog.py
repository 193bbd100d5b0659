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
from img.domain.platform import Platform
from tests.support.workshop import ELSEWHERE, HERE, Workshop, image_of


def put(workshop: Workshop, content: bytes, media_type: str) -> Descriptor:
    writer = workshop.blobs.writer()
    writer.write(content)
    return Descriptor(media_type=media_type, digest=writer.commit(), size=len(content))


def test_of_an_index_the_image_for_a_platform_is_found() -> None:
    workshop = Workshop()
    built = workshop.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, platforms=[HERE, ELSEWHERE])

    found = workshop.catalog.image(built.target, ELSEWHERE)
    assert found.manifest == built.images[1].manifest
    with pytest.raises(NoPlatformMatch):
        workshop.catalog.image(built.target, Platform("linux", "mips"))


def test_only_manifests_that_are_here_are_listed() -> None:
    workshop = Workshop()
    built = workshop.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, platforms=[HERE, ELSEWHERE])
    here, elsewhere = (image.target.digest for image in built.images)
    workshop.blobs.remove(elsewhere)

    assert [m.digest for m in workshop.catalog.manifests(built.target)] == [here]


def test_an_image_whose_config_and_manifest_disagree_is_corrupt() -> None:
    workshop = Workshop()
    config = put(workshop, encode_config(ImageConfig(platform=HERE)), media_types.OCI_CONFIG)
    layer = workshop.layer({"a": b"1"}).descriptor
    manifest = encode_manifest(Manifest(config=config, layers=(layer,)))
    target = put(workshop, manifest, media_types.OCI_MANIFEST)

    with pytest.raises(StateError, match="has 1 layers, but its config names 0") as corrupt:
        workshop.catalog.image(target, HERE)

    assert corrupt.value.exit_code == 8


def test_a_missing_document_is_said() -> None:
    workshop = Workshop()
    built = image_of(workshop.build("FROM scratch\nCOPY a /\n", {"a": b"1"}))
    workshop.blobs.remove(built.target.digest)

    with pytest.raises(BlobNotFound):
        workshop.catalog.image(built.target, HERE)


def test_a_size_is_that_of_manifest_config_and_layers() -> None:
    workshop = Workshop()
    built = image_of(workshop.build("FROM scratch\nCOPY a /\n", {"a": b"1"}))

    (layer,) = built.manifest.layers
    assert built.size == built.target.size + built.manifest.config.size + layer.size
