"""Pulling images."""

from dataclasses import replace

import pytest

from img.application.ports.blob_store import BlobMismatch
from img.application.ports.image_store import ImageNotFound
from img.application.ports.layer_archive import InvalidLayer
from img.application.ports.registry import ManifestUnknown, RegistryError
from img.domain.digest import Digest
from img.domain.errors import ImgError
from img.domain.oci import media_types
from img.domain.oci.chain import Layer
from img.domain.oci.codec import decode_manifest, encode_config, encode_index, encode_manifest
from img.domain.oci.config import ImageConfig
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index, NoPlatformMatch
from img.domain.oci.manifest import Manifest
from img.domain.progress import VertexStatus
from img.domain.reference import ImageReference
from tests.support.in_memory_app import ELSEWHERE, HERE, InMemoryApp

BASE = "registry.example/base"


def layers_of(app: InMemoryApp, reference: ImageReference) -> tuple[Descriptor, ...]:
    """Return the layers that the registry's manifest names."""
    target = app.registry.resolve(reference)
    layers = decode_manifest(app.registry.manifest(reference, target)).layers
    app.registry.fetched.clear()
    return layers


def is_nothing_here(app: InMemoryApp, reference: ImageReference) -> bool:
    with pytest.raises(ImageNotFound):
        app.images.get(reference)
    return True


def test_a_pulled_image_is_here_whole_under_its_name() -> None:
    app = InMemoryApp()
    base = app.publish(BASE, {"a": b"1"}, {"b": b"2"})

    image = app.container.images.pull_image()(base, HERE)

    assert app.images.get(base).target.digest == image.target.digest
    assert app.files_in(image.layers) == {"a": b"1", "b": b"2"}


def test_layers_are_indexed_while_they_stream() -> None:
    app = InMemoryApp()
    base = app.publish(BASE, {"a": b"1"}, {"b": b"2"})

    image = app.container.images.pull_image()(base, HERE)

    assert set(app.indexes.diff_ids()) == set(image.config.diff_ids)


def test_what_is_here_is_not_fetched_again() -> None:
    app = InMemoryApp()
    base = app.publish(BASE, {"a": b"1"}, {"b": b"2"})
    pull = app.container.images.pull_image()
    image = pull(base, HERE)
    app.registry.fetched.clear()

    pull(base, HERE)

    assert set(app.registry.fetched) <= {image.target.digest}


def test_a_blob_that_lost_its_end_is_fetched_again() -> None:
    app = InMemoryApp()
    base = app.publish(BASE, {"a": b"1" * 1000})
    pull = app.container.images.pull_image()
    image = pull(base, HERE)
    blob = image.manifest.layers[0]
    app.blobs._blobs[blob.digest] = b"torn"

    pull(base, HERE)

    assert app.blobs.size(blob.digest) == blob.size


def test_of_an_index_only_our_platform_is_fetched() -> None:
    app = InMemoryApp()
    base = app.publish(BASE, {"a": b"1"}, platforms=[ELSEWHERE, HERE])

    image = app.container.images.pull_image()(base, HERE)

    assert image.config.platform == HERE
    assert app.images.get(base).target.media_type == media_types.OCI_MANIFEST


def test_an_index_without_our_platform_is_refused_with_what_it_offers() -> None:
    app = InMemoryApp()
    base = app.publish(BASE, {"a": b"1"}, platforms=[ELSEWHERE, ELSEWHERE])

    with pytest.raises(NoPlatformMatch, match=str(ELSEWHERE)):
        app.container.images.pull_image()(base, HERE)


_UNREADABLE = Digest.of_document("sha256+b64:LCa0a2j_xo_5m0U8HTBBNBNCLXBkg7-g-YpeiGJm564")


def test_an_entry_of_an_index_may_have_a_digest_that_is_not_understood() -> None:
    app = InMemoryApp()
    base = app.publish(BASE, {"a": b"1"})
    own = replace(app.registry.resolve(base), platform=HERE)
    other = replace(own, digest=_UNREADABLE, platform=ELSEWHERE)
    content = encode_index(Index(manifests=(other, own)))
    app.registry.push_manifest(base, content, media_types.OCI_INDEX)

    assert app.files_in(app.container.images.pull_image()(base, HERE).layers) == {"a": b"1"}
    with pytest.raises(ImgError, match="sha256"):
        app.container.images.pull_image()(base, ELSEWHERE)


def test_a_layer_whose_digest_is_not_understood_is_not_taken() -> None:
    app = InMemoryApp()
    base = app.publish(BASE, {"a": b"1"})
    manifest = decode_manifest(app.registry.manifest(base, app.registry.resolve(base)))
    layers = (replace(manifest.layers[0], digest=_UNREADABLE),)
    content = encode_manifest(replace(manifest, layers=layers))
    app.registry.push_manifest(base, content, media_types.OCI_MANIFEST)

    with pytest.raises(ImgError):
        app.container.images.pull_image()(base, HERE)

    assert is_nothing_here(app, base)


def test_progress_ends_with_all_bytes_of_each_layer() -> None:
    app = InMemoryApp()
    base = app.publish(BASE, {"a": b"1"}, {"b": b"2"})

    image = app.container.images.pull_image()(base, HERE)

    done = {e.item for e in app.progress.events if isinstance(e, VertexStatus) and e.done}
    assert done == {str(layer.digest) for layer in image.manifest.layers}


def test_an_unknown_name_is_said() -> None:
    app = InMemoryApp()

    with pytest.raises(ManifestUnknown):
        app.container.images.pull_image()(ImageReference.parse(BASE), HERE)


def test_layers_that_are_not_what_was_promised_are_not_kept() -> None:
    app = InMemoryApp()
    base = app.publish(BASE, {"a": b"1"})
    (layer,) = layers_of(app, base)
    app.registry.corrupt(layer.digest)

    with pytest.raises(BlobMismatch):
        app.container.images.pull_image()(base, HERE)

    assert app.blobs.size(layer.digest) is None
    assert is_nothing_here(app, base)


def test_a_lost_connection_leaves_no_name_and_no_half_blob() -> None:
    app = InMemoryApp()
    base = app.publish(BASE, {"a": b"1"}, {"b": b"2"})
    _first, second = layers_of(app, base)
    app.registry.cut(second.digest, after=10)

    with pytest.raises(RegistryError, match="broke the connection"):
        app.container.images.pull_image()(base, HERE)

    assert app.blobs.size(second.digest) is None
    assert is_nothing_here(app, base)


def test_what_came_before_a_failure_is_not_fetched_again() -> None:
    app = InMemoryApp()
    base = app.publish(BASE, {"a": b"1"}, {"b": b"2"})
    first, second = layers_of(app, base)
    app.registry.cut(second.digest, after=10)
    pull = app.container.images.pull_image()
    with pytest.raises(RegistryError):
        pull(base, HERE)
    app.registry.fetched.clear()
    app.registry._cuts.clear()

    pull(base, HERE)

    assert first.digest not in app.registry.fetched


def test_a_layer_that_unpacks_to_something_else_is_refused() -> None:
    app = InMemoryApp()
    base = published_by_hand(app, diff_id_of={"other": b"content"})

    with pytest.raises(InvalidLayer, match="as its config says"):
        app.container.images.pull_image()(base, HERE)

    assert is_nothing_here(app, base)


def test_a_manifest_that_lies_about_a_size_is_refused() -> None:
    app = InMemoryApp()
    base = published_by_hand(app, extra=1)

    with pytest.raises(ImgError, match=r"bytes"):
        app.container.images.pull_image()(base, HERE)

    assert is_nothing_here(app, base)


def test_a_config_that_names_other_layers_than_the_manifest_is_refused() -> None:
    app = InMemoryApp()
    base = published_by_hand(app, diff_ids=0)

    with pytest.raises(RegistryError, match="is broken: 1 layers, 0 diff_ids"):
        app.container.images.pull_image()(base, HERE)


def published_by_hand(
    app: InMemoryApp,
    *,
    diff_id_of: dict[str, bytes] | None = None,
    diff_ids: int = 1,
    extra: int = 0,
) -> ImageReference:
    """Publish an image of one layer with wrong documents."""
    reference = ImageReference.parse(BASE)
    layer = app.layer({"a": b"1"})
    named = app.layer(diff_id_of) if diff_id_of else layer
    config = encode_config(ImageConfig(platform=HERE, diff_ids=(named.diff_id,) * diff_ids))
    with app.blobs.open(layer.descriptor.digest) as blob:
        app.registry.add_blob(reference, blob.read())
    manifest = Manifest(
        config=Descriptor(
            media_type=media_types.OCI_CONFIG,
            digest=app.registry.add_blob(reference, config),
            size=len(config),
        ),
        layers=(longer(layer, extra),),
    )
    app.registry.push_manifest(reference, encode_manifest(manifest), media_types.OCI_MANIFEST)
    app.blobs.remove(layer.descriptor.digest)
    return reference


def longer(layer: Layer, extra: int) -> Descriptor:
    blob = layer.descriptor
    return Descriptor(media_type=blob.media_type, digest=blob.digest, size=blob.size + extra)


def test_where_its_blobs_can_be_had_is_remembered() -> None:
    app = InMemoryApp()
    base = app.publish(BASE, {"a": b"1"}, {"b": b"2"})

    image = app.container.images.pull_image()(base, HERE)

    for blob in image.manifest.blobs:
        assert app.origins.repositories(blob.digest) == [BASE]


def test_an_index_in_an_index_is_followed() -> None:
    app = InMemoryApp()
    base = app.publish(BASE, {"a": b"1"}, platforms=[ELSEWHERE, HERE])
    inner = app.registry.resolve(base)
    content = encode_index(Index(manifests=(inner,)))
    app.registry.push_manifest(base.with_tag("outer"), content, media_types.OCI_INDEX)

    image = app.container.images.pull_image()(base.with_tag("outer"), HERE)

    assert image.config.platform == HERE


def test_documents_that_are_here_are_not_fetched_again() -> None:
    app = InMemoryApp()
    base = app.publish(BASE, {"a": b"1"}, platforms=[ELSEWHERE, HERE])
    pull = app.container.images.pull_image()
    pull(base, HERE)
    app.registry.fetched.clear()

    pull(base, HERE)

    assert app.registry.fetched == []


def test_an_artifact_is_no_image() -> None:
    app = InMemoryApp()
    reference = ImageReference.parse(BASE)
    config = Descriptor(
        media_type="application/vnd.oci.empty.v1+json",
        digest=app.registry.add_blob(reference, b"{}"),
        size=2,
    )
    content = encode_manifest(Manifest(config=config, artifact_type="application/x"))
    app.registry.push_manifest(reference, content, media_types.OCI_MANIFEST)

    with pytest.raises(RegistryError, match=r"is no image but application/vnd\.oci\.empty"):
        app.container.images.pull_image()(reference, HERE)


@pytest.mark.parametrize("kind", [media_types.OCI_LAYER_GZIP, media_types.DOCKER_LAYER_GZIP])
def test_an_encrypted_image_is_named_as_such_before_a_layer_is_fetched(kind: str) -> None:
    app = InMemoryApp()
    reference = app.publish(BASE, {"a": b"1"})
    target = app.registry.resolve(reference)
    manifest = decode_manifest(app.registry.manifest(reference, target))
    layers = tuple(replace(each, media_type=f"{kind}+encrypted") for each in manifest.layers)
    content = encode_manifest(replace(manifest, layers=layers))
    app.registry.push_manifest(reference, content, media_types.OCI_MANIFEST)

    with pytest.raises(RegistryError, match=r"is encrypted: layer sha256:.*\+encrypted") as refused:
        app.container.images.pull_image()(reference, HERE)

    assert "decrypt" in str(refused.value.hint)
    assert layers[0].digest not in app.registry.fetched
