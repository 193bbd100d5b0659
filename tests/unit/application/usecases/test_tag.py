"""Tagging images."""

from datetime import datetime, timedelta

import pytest

from img.adapters.image_store.memory import MemoryImageStore
from img.adapters.state_lock.memory import MemoryStateLock
from img.application.ports.image_store import ImageNotFound, StoredImage
from img.domain.errors import UsageError
from img.domain.image_name import ImageName
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference, StoredName
from tests.support.workshop import Workshop, image_of

APP, OTHER = ImageReference.parse("app"), ImageReference.parse("other:2")


def test_the_new_name_stands_for_the_same_image() -> None:
    workshop = Workshop()
    built = workshop.build("FROM scratch\nCOPY a /\n", {"a": b"1"})
    workshop.clock.advance(timedelta(hours=1))

    workshop.container.images.tag_image()(ImageName.of(APP), OTHER)

    assert workshop.images.get(OTHER).target == built.target
    assert workshop.images.get(OTHER).created == workshop.clock.now()


def test_a_name_that_stood_for_something_else_moves() -> None:
    workshop = Workshop()
    workshop.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, tags=["other:2"])
    newer = workshop.build("FROM scratch\nCOPY a /\n", {"a": b"2"}, tags=["app"])

    workshop.container.images.tag_image()(ImageName.of(APP), OTHER)

    assert workshop.images.get(OTHER).target == newer.target


def test_a_name_that_is_not_here_cannot_be_tagged() -> None:
    workshop = Workshop()

    with pytest.raises(ImageNotFound):
        workshop.container.images.tag_image()(ImageName.of(APP), OTHER)

    assert list(workshop.images.list()) == []


def test_a_name_with_a_digest_is_not_given_away() -> None:
    workshop = Workshop()
    workshop.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, tags=["app"])

    pinned = ImageReference.parse(f"app@sha256:{'0' * 64}")
    with pytest.raises(UsageError, match="refusing to create a tag with a digest"):
        workshop.container.images.tag_image()(ImageName.of(APP), pinned)
    with pytest.raises(UsageError, match="ambiguous tag"):
        workshop.container.images.tag_image()(ImageName.of(APP), ImageReference.parse("sha256:abc"))


class WatchedImages(MemoryImageStore):
    """Looks, while a name is put, whether garbage might be collected."""

    def __init__(self, lock: MemoryStateLock) -> None:
        super().__init__()
        self._lock = lock
        self.collectable: list[bool] = []

    def put(self, name: StoredName, target: Descriptor, now: datetime) -> StoredImage:
        with self._lock.alone() as alone:
            self.collectable.append(alone)
        return super().put(name, target, now)


def test_garbage_is_not_collected_between_looking_and_naming() -> None:
    lock = MemoryStateLock()
    images = WatchedImages(lock)
    workshop = Workshop(images=images, lock=lock)
    workshop.build("FROM scratch\nCOPY a /\n", {"a": b"1"})
    images.collectable.clear()

    workshop.container.images.tag_image()(ImageName.of(APP), OTHER)

    assert images.collectable == [False]


def test_an_image_without_a_name_gets_one_by_its_id() -> None:
    workshop = Workshop()
    built = image_of(workshop.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, tags=[]))

    id_ = built.manifest.config.digest.encoded[:12]
    workshop.container.images.tag_image()(ImageName.parse(id_), APP)

    assert [image.name for image in workshop.images.list()] == [APP]
    assert workshop.images.get(APP).target == built.target
