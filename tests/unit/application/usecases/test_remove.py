"""Removing images."""

import pytest

from img.application.ports.image_store import ImageNotFound
from img.domain.reference import ImageReference
from tests.unit.application.workshop import HERE, Workshop

BASE, APP, OTHER = (ImageReference.parse(name) for name in ("base", "app", "other"))


def test_what_only_a_removed_image_needed_goes_with_it() -> None:
    workshop = Workshop()
    workshop.publish("base", {"a": b"1"})
    workshop.container.pull_image()(BASE, HERE)

    workshop.container.housekeeping.remove_image()(BASE)

    assert list(workshop.images.list()) == []
    assert list(workshop.blobs.digests()) == []
    assert list(workshop.indexes.diff_ids()) == []


def test_what_another_name_needs_stays() -> None:
    workshop = Workshop()
    workshop.publish("base", {"a": b"1"})
    image = workshop.container.pull_image()(BASE, HERE)
    workshop.container.tag_image()(BASE, OTHER)

    workshop.container.housekeeping.remove_image()(BASE)

    assert workshop.files_in(workshop.catalog.image(image.target, HERE).layers) == {"a": b"1"}


def test_what_the_build_cache_may_use_stays() -> None:
    workshop = Workshop()
    workshop.build("FROM scratch\nCOPY a /\n", {"a": b"1"})
    workshop.container.housekeeping.remove_image()(APP)
    workshop.forget_progress()

    workshop.build(workshop.contexts.text)

    assert workshop.found == ["[1/1] COPY a /"]


def test_a_name_that_is_not_here_cannot_be_removed() -> None:
    workshop = Workshop()
    workshop.build("FROM scratch\nCOPY a /\n", {"a": b"1"})

    with pytest.raises(ImageNotFound):
        workshop.container.housekeeping.remove_image()(OTHER)

    assert workshop.images.get(APP)


def test_while_others_work_the_name_goes_and_the_bytes_wait() -> None:
    workshop = Workshop()
    workshop.publish("base", {"a": b"1"})
    workshop.container.pull_image()(BASE, HERE)

    with workshop.lock.working():
        workshop.container.housekeeping.remove_image()(BASE)

    assert list(workshop.images.list()) == []
    assert list(workshop.blobs.digests()) != []
