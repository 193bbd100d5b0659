"""Removing images without a name, or all."""

import pytest

from img.domain.image_filter import ImageFilter
from tests.unit.application.workshop import HERE, Workshop, image_of

NOTHING = ImageFilter()


def test_images_without_a_tag_go_and_what_only_they_needed() -> None:
    workshop = Workshop()
    named = workshop.build("FROM scratch\nCOPY a /\n", {"a": b"1"})
    nameless = image_of(workshop.build("FROM scratch\nLABEL a=b\n", tags=[]))
    prune = workshop.container.housekeeping.prune_images()

    removed, freed = prune(HERE, NOTHING)

    assert [listed.image.target for listed in removed] == [nameless.target]
    assert freed > 0
    assert [image.target for image in workshop.images.list()] == [named.target]
    assert workshop.blobs.size(nameless.target.digest) is None
    assert prune(HERE, NOTHING) == ([], 0)


def test_conditions_spare_what_they_do_not_hold_for() -> None:
    workshop = Workshop()
    workshop.build("FROM scratch\nLABEL a=b\n", tags=[])
    prune = workshop.container.housekeeping.prune_images()

    assert prune(HERE, ImageFilter(labels=(("c", None),)))[0] == []
    assert len(prune(HERE, ImageFilter(labels=(("a", "b"),)))[0]) == 1


@pytest.mark.parametrize(
    "wanted", [ImageFilter(labels=(("keep", None),)), ImageFilter(no_labels=(("keep", None),))]
)
def test_of_a_damaged_image_nobody_knows_the_labels(wanted: ImageFilter) -> None:
    workshop = Workshop()
    built = image_of(workshop.build("FROM scratch\nLABEL keep=1\n", tags=["app"]))
    workshop.blobs.remove(built.manifest.config.digest)
    prune = workshop.container.housekeeping.prune_images()

    assert prune(HERE, wanted, everything=True) == ([], 0)
    assert len(prune(HERE, NOTHING, everything=True)[0]) == 1


def test_everything_is_every_image() -> None:
    workshop = Workshop()
    workshop.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, tags=["app:1", "app:2"])

    removed, _ = workshop.container.housekeeping.prune_images()(HERE, NOTHING, everything=True)

    assert len(removed) == 2
    assert list(workshop.images.list()) == []
