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
from tests.support.in_memory_app import InMemoryApp, image_of

APP, OTHER = ImageReference.parse("app"), ImageReference.parse("other:2")


def test_the_new_name_stands_for_the_same_image() -> None:
    app = InMemoryApp()
    built = app.build("FROM scratch\nCOPY a /\n", {"a": b"1"})
    app.clock.advance(timedelta(hours=1))

    app.container.images.tag_image()(ImageName.of(APP), OTHER)

    assert app.images.get(OTHER).target == built.target
    assert app.images.get(OTHER).created == app.clock.now()


def test_a_name_that_stood_for_something_else_moves() -> None:
    app = InMemoryApp()
    app.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, tags=["other:2"])
    newer = app.build("FROM scratch\nCOPY a /\n", {"a": b"2"}, tags=["app"])

    app.container.images.tag_image()(ImageName.of(APP), OTHER)

    assert app.images.get(OTHER).target == newer.target


def test_a_name_that_is_not_here_cannot_be_tagged() -> None:
    app = InMemoryApp()

    with pytest.raises(ImageNotFound):
        app.container.images.tag_image()(ImageName.of(APP), OTHER)

    assert list(app.images.list()) == []


def test_a_name_with_a_digest_is_not_given_away() -> None:
    app = InMemoryApp()
    app.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, tags=["app"])

    pinned = ImageReference.parse(f"app@sha256:{'0' * 64}")
    with pytest.raises(UsageError, match="refusing to create a tag with a digest"):
        app.container.images.tag_image()(ImageName.of(APP), pinned)
    with pytest.raises(UsageError, match="ambiguous tag"):
        app.container.images.tag_image()(ImageName.of(APP), ImageReference.parse("sha256:abc"))


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
    app = InMemoryApp(images=images, lock=lock)
    app.build("FROM scratch\nCOPY a /\n", {"a": b"1"})
    images.collectable.clear()

    app.container.images.tag_image()(ImageName.of(APP), OTHER)

    assert images.collectable == [False]


def test_an_image_without_a_name_gets_one_by_its_id() -> None:
    app = InMemoryApp()
    built = image_of(app.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, tags=[]))

    id_ = built.manifest.config.digest.encoded[:12]
    app.container.images.tag_image()(ImageName.parse(id_), APP)

    assert [image.name for image in app.images.list()] == [APP]
    assert app.images.get(APP).target == built.target
