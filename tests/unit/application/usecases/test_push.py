"""Pushing images."""

from dataclasses import replace

import pytest

from img.application.outputs.solved import BuiltImage
from img.application.ports.blob_store import BlobNotFound
from img.application.ports.image_store import ImageNotFound
from img.application.ports.registry import RegistryError
from img.application.transfer.publish import Published
from img.application.usecases.push import NoNameToPush
from img.domain.digest import Digest
from img.domain.image_name import ImageName
from img.domain.oci import media_types
from img.domain.oci.codec import decode_index, encode_config, encode_manifest
from img.domain.oci.config import ImageConfig
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.manifest import Manifest
from img.domain.progress import VertexDone, VertexFailed, VertexStatus
from img.domain.reference import ImageReference
from img.domain.retention import PrunePolicy
from tests.support.in_memory_app import ELSEWHERE, HERE, InMemoryApp, image_of

APP = ImageReference.parse("registry.example/team/app:1")
TWO_LAYERS = "FROM scratch\nCOPY a /a\nCOPY b /b\n"
FILES = {"a": b"first", "b": b"second"}


def built(app: InMemoryApp, dockerfile: str = TWO_LAYERS) -> BuiltImage:
    image = app.build(dockerfile, FILES, tags=[str(APP)])
    app.forget_progress()
    return image


def test_layers_and_config_go_first_and_the_manifest_last() -> None:
    app = InMemoryApp()
    image = image_of(built(app))

    (pushed,) = app.container.images.push_image()(ImageName.of(APP))

    assert pushed.digest == image.target.digest
    assert app.registry.names == {APP}
    received = {len(blob) for blob in app.registry.received}
    assert received == {blob.size for blob in image.manifest.blobs}
    assert app.registry.resolve(APP).digest == pushed.digest


def test_only_what_the_registry_lacks_is_sent() -> None:
    app = InMemoryApp()
    image = image_of(built(app))
    base, top = image.manifest.layers
    with app.blobs.open(base.digest) as blob:
        app.registry.add_blob(APP, blob.read())

    app.container.images.push_image()(ImageName.of(APP))

    sent = [len(blob) for blob in app.registry.received]
    assert sorted(sent) == sorted([top.size, image.manifest.config.size])


def test_a_second_push_sends_no_blob() -> None:
    app = InMemoryApp()
    built(app)
    push = app.container.images.push_image()
    push(ImageName.of(APP))
    app.registry.received.clear()

    push(ImageName.of(APP))

    assert app.registry.received == []


def test_each_blob_is_reported_to_its_end() -> None:
    app = InMemoryApp()
    image = image_of(built(app))

    app.container.images.push_image()(ImageName.of(APP))

    done = {e.item for e in app.progress.events if isinstance(e, VertexStatus) and e.done}
    assert done == {str(blob.digest) for blob in image.manifest.blobs}
    assert isinstance(app.progress.events[-1], VertexDone)


def test_of_an_index_every_manifest_goes_before_the_index() -> None:
    app = InMemoryApp()
    image = app.build(
        "FROM scratch\nARG TARGETARCH\nCOPY a /$TARGETARCH\n",
        FILES,
        tags=[str(APP)],
        platforms=[HERE, ELSEWHERE],
    )

    app.container.images.push_image()(ImageName.of(APP))

    pushed = app.registry.manifest(APP, app.registry.resolve(APP))
    manifests = decode_index(pushed).manifests
    assert [m.digest for m in manifests] == [one.target.digest for one in image.images]
    assert {reference.digest for reference in app.registry.names} == {
        None,
        *(m.digest for m in manifests),
    }


def test_an_image_that_is_not_here_is_not_pushed() -> None:
    with pytest.raises(ImageNotFound):
        InMemoryApp().container.images.push_image()(ImageName.of(APP))


def test_an_image_with_a_blob_missing_gets_no_name_at_the_registry() -> None:
    app = InMemoryApp()
    image = image_of(built(app))
    app.blobs.remove(image.manifest.layers[0].digest)

    with pytest.raises(BlobNotFound):
        app.container.images.push_image()(ImageName.of(APP))

    assert app.registry.names == set()


def test_a_lost_registry_is_said_once_and_ends_the_vertex() -> None:
    app = InMemoryApp()
    built(app)
    app.registry.lose(APP.domain)

    with pytest.raises(RegistryError, match="cannot be reached"):
        app.container.images.push_image()(ImageName.of(APP))

    assert isinstance(app.progress.events[-1], VertexFailed)


def test_garbage_is_not_collected_meanwhile() -> None:
    app = InMemoryApp()
    built(app)

    with app.lock.working():
        app.container.housekeeping.prune()(PrunePolicy())

    app.container.images.push_image()(ImageName.of(APP))


def test_where_it_went_is_remembered_of_each_blob() -> None:
    app = InMemoryApp()
    image = image_of(built(app))

    app.container.images.push_image()(ImageName.of(APP))

    for blob in image.manifest.blobs:
        assert app.origins.repositories(blob.digest) == [APP.repository]


def test_a_second_tag_costs_one_request() -> None:
    app = InMemoryApp()
    built(app)
    also = APP.with_tag("also")
    app.container.images.tag_image()(ImageName.of(APP), also)
    asked: list[Digest] = []
    has_blob = app.registry.has_blob

    def counted(reference: ImageReference, digest: Digest) -> bool:
        asked.append(digest)
        return has_blob(reference, digest)

    app.registry.has_blob = counted  # type: ignore[method-assign]
    app.container.images.push_image()(ImageName.of(APP), ImageName.of(also))

    assert len(asked) == len(set(asked)) == 3
    assert app.registry.resolve(also) == app.registry.resolve(APP)


def test_nothing_is_sent_unless_all_are_here() -> None:
    app = InMemoryApp()
    built(app)

    with pytest.raises(ImageNotFound):
        app.container.images.push_image()(ImageName.of(APP), ImageName.of(APP.with_tag("other")))

    assert app.registry.names == set()


@pytest.mark.parametrize("allowed", [False, True])
def test_layers_that_may_not_be_distributed_stay_where_they_are(allowed: bool) -> None:
    app = InMemoryApp()
    layer = app.layer({"a": b"1"})
    foreign = replace(
        layer.descriptor,
        media_type=media_types.DOCKER_FOREIGN_LAYER,
        urls=("https://elsewhere.test/a",),
    )
    config = encode_config(ImageConfig(platform=HERE, diff_ids=(layer.diff_id,)))
    manifest = encode_manifest(
        Manifest(config=stored(app, config, media_types.OCI_CONFIG), layers=(foreign,))
    )
    target = stored(app, manifest, media_types.OCI_MANIFEST)
    app.images.put(APP, target, app.clock.now())

    app.container.images.push_image()(ImageName.of(APP), nondistributable=allowed)

    assert app.registry.has_blob(APP, foreign.digest) is allowed
    assert app.registry.resolve(APP).digest == target.digest


def stored(app: InMemoryApp, content: bytes, media_type: str) -> Descriptor:
    writer = app.blobs.writer()
    writer.write(content)
    return Descriptor(media_type=media_type, digest=writer.commit(), size=len(content))


def test_an_id_is_pushed_under_the_one_name_it_has() -> None:
    app = InMemoryApp()
    image = image_of(built(app))
    id_ = ImageName.parse(image.manifest.config.digest.encoded[:12])
    push = app.container.images.push_image()

    assert push(id_) == [Published(image.target)]
    assert APP in app.registry.names
    by_digest = ImageName.parse(f"{APP.repository}@{image.target.digest}")
    assert push(by_digest) == [Published(image.target)]
    app.container.images.tag_image()(id_, APP.with_tag("other"))
    with pytest.raises(NoNameToPush, match="several names: "):
        push(id_)


def test_an_image_without_a_name_has_nowhere_to_go() -> None:
    app = InMemoryApp()
    image = image_of(app.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, tags=[]))

    with pytest.raises(NoNameToPush, match="has no name"):
        app.container.images.push_image()(ImageName.parse(str(image.manifest.config.digest)))

    assert app.registry.names == set()
