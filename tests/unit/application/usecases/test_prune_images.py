"""Removing images without a name, or all."""

from dataclasses import replace

import pytest

from img.application.usecases.prune_images import PrunedImages
from img.domain.image_filter import ImageFilter
from img.domain.oci import media_types
from img.domain.oci.codec import encode_manifest
from tests.support.images.image_archives import add
from tests.support.in_memory_app import HERE, InMemoryApp, image_of

NOTHING = ImageFilter()


def test_images_without_a_tag_go_and_what_only_they_needed() -> None:
    app = InMemoryApp()
    named = app.build("FROM scratch\nCOPY a /\n", {"a": b"1"})
    nameless = image_of(app.build("FROM scratch\nLABEL a=b\n", tags=[]))
    prune = app.container.housekeeping.prune_images()

    pruned = prune(HERE, NOTHING)

    assert [listed.image.target for listed in pruned.removed] == [nameless.target]
    assert pruned.deleted == [nameless.manifest.config.digest]
    assert pruned.freed > 0
    assert [image.target for image in app.images.list()] == [named.target]
    assert app.blobs.size(nameless.target.digest) is None
    assert prune(HERE, NOTHING) == PrunedImages()


def test_conditions_spare_what_they_do_not_hold_for() -> None:
    app = InMemoryApp()
    app.build("FROM scratch\nLABEL a=b\n", tags=[])
    prune = app.container.housekeeping.prune_images()

    assert prune(HERE, ImageFilter(labels=(("c", None),))) == PrunedImages()
    assert len(prune(HERE, ImageFilter(labels=(("a", "b"),))).removed) == 1


@pytest.mark.parametrize(
    "wanted", [ImageFilter(labels=(("keep", None),)), ImageFilter(no_labels=(("keep", None),))]
)
def test_of_a_damaged_image_nobody_knows_the_labels(wanted: ImageFilter) -> None:
    app = InMemoryApp()
    built = image_of(app.build("FROM scratch\nLABEL keep=1\n", tags=["app"]))
    app.blobs.remove(built.manifest.config.digest)
    prune = app.container.housekeeping.prune_images()

    assert prune(HERE, wanted, everything=True) == PrunedImages()
    assert len(prune(HERE, NOTHING, everything=True).removed) == 1


def test_everything_is_every_image() -> None:
    app = InMemoryApp()
    built = image_of(app.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, tags=["app:1", "app:2"]))

    pruned = app.container.housekeeping.prune_images()(HERE, NOTHING, everything=True)

    assert len(pruned.removed) == 2
    assert pruned.deleted == [built.manifest.config.digest]
    assert list(app.images.list()) == []


def test_an_id_that_an_image_with_a_name_has_too_is_not_deleted() -> None:
    app = InMemoryApp()
    built = image_of(app.build("FROM scratch\nLABEL a=b\n", tags=["app:1"]))
    again = encode_manifest(replace(built.manifest, annotations={"other": "manifest"}))
    target = add(app.blobs, again, media_types.OCI_MANIFEST)
    app.images.put(target.digest, target, app.container.system.clock().now())

    pruned = app.container.housekeeping.prune_images()(HERE, NOTHING)

    assert [listed.image.target for listed in pruned.removed] == [target]
    assert pruned.removed[0].id == built.manifest.config.digest
    assert pruned.deleted == []
