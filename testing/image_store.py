"""Contract suite of image stores."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from img.application.ports.image_store import DigestNotNamed, ImageNotFound, ImageStore, StoredImage
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.descriptor import Descriptor
from img.domain.platform import Platform
from img.domain.reference import ImageReference

APP = ImageReference.parse("app")
OTHER = ImageReference.parse("registry.example:5000/team/other:v1")
NOON = datetime(2026, 1, 2, 12, 0, 0, 123456, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
TARGET = Descriptor(
    media_type=media_types.OCI_MANIFEST,
    digest=Digest.of(b"manifest"),
    size=8,
    annotations={"org.example": "ü"},
    platform=Platform("linux", "arm", "v7"),
)
NEWER = replace(TARGET, digest=Digest.of(b"newer"))


class ImageStoreContract:
    """Promises of every ImageStore.

    Fixtures: ``store``, an empty store.
    """

    def test_an_image_can_be_had_by_its_name(self, store: ImageStore) -> None:
        stored = store.put(APP, TARGET, NOON)

        assert stored == StoredImage(name=APP, target=TARGET, created=NOON, updated=NOON)
        assert store.get(APP) == stored

    def test_only_the_exact_name_will_do(self, store: ImageStore) -> None:
        store.put(APP, TARGET, NOON)

        for reference in (OTHER, APP.with_tag("other"), APP.with_digest(TARGET.digest)):
            with pytest.raises(ImageNotFound) as missing:
                store.get(reference)
            assert missing.value.name == reference

    def test_a_name_that_comes_to_stand_for_something_else_keeps_when_it_was_made(
        self,
        store: ImageStore,
    ) -> None:
        store.put(APP, TARGET, NOON)
        stored = store.put(APP, NEWER, LATER)

        assert stored == StoredImage(name=APP, target=NEWER, created=NOON, updated=LATER)
        assert store.get(APP) == stored

    def test_the_same_again_changes_nothing(self, store: ImageStore) -> None:
        first = store.put(APP, TARGET, NOON)

        assert store.put(APP, TARGET, LATER) == first
        assert store.get(APP) == first

    def test_times_are_utc_whatever_clock_they_came_from(self, store: ImageStore) -> None:
        store.put(APP, TARGET, NOON.astimezone(timezone(timedelta(hours=9))))

        assert store.get(APP).created == NOON

    def test_images_are_listed_by_name(self, store: ImageStore) -> None:
        assert list(store.list()) == []

        pinned = ImageReference.parse("app:v1").with_digest(TARGET.digest)
        stored = [store.put(name, TARGET, NOON) for name in (OTHER, pinned, APP)]

        assert list(store.list()) == sorted(stored, key=lambda image: str(image.reference))

    def test_a_removed_name_is_forgotten(self, store: ImageStore) -> None:
        store.put(APP, TARGET, NOON)
        store.put(OTHER, TARGET, NOON)
        store.remove(APP)

        assert [image.reference for image in store.list()] == [OTHER]
        with pytest.raises(ImageNotFound):
            store.remove(APP)

    def test_a_name_that_is_made_anew_is_new(self, store: ImageStore) -> None:
        store.put(APP, TARGET, NOON)
        store.remove(APP)

        assert store.put(APP, TARGET, LATER).created == LATER

    def test_an_image_may_have_no_name(self, store: ImageStore) -> None:
        store.put(OTHER, NEWER, NOON)
        stored = store.put(TARGET.digest, TARGET, NOON)

        assert stored == StoredImage(name=TARGET.digest, target=TARGET, created=NOON, updated=NOON)
        assert stored.reference is None
        assert store.get(TARGET.digest) == stored
        assert store.put(TARGET.digest, TARGET, LATER) == stored
        assert [image.name for image in store.list()] == [OTHER, TARGET.digest]
        assert {target.digest for target in store.targets()} == {TARGET.digest, NEWER.digest}
        store.remove(TARGET.digest)
        assert [image.name for image in store.list()] == [OTHER]
        with pytest.raises(ImageNotFound):
            store.remove(TARGET.digest)

    def test_a_name_takes_the_place_of_the_digest(self, store: ImageStore) -> None:
        store.put(TARGET.digest, TARGET, NOON)
        store.put(NEWER.digest, NEWER, NOON)
        named = store.put(APP, TARGET, LATER)

        assert list(store.list()) == [named, store.get(NEWER.digest)]

    def test_what_has_a_name_is_not_kept_without_one_as_well(self, store: ImageStore) -> None:
        named = store.put(APP, TARGET, NOON)

        assert store.put(TARGET.digest, TARGET, LATER) == named
        assert list(store.list()) == [named]

    def test_a_name_with_a_digest_stands_for_that_alone(self, store: ImageStore) -> None:
        pinned = APP.with_digest(TARGET.digest)

        with pytest.raises(DigestNotNamed):
            store.put(pinned, NEWER, NOON)
        with pytest.raises(ImageNotFound):
            store.get(pinned)

        assert store.put(pinned, TARGET, NOON).target == TARGET
        with pytest.raises(DigestNotNamed):
            store.put(pinned, NEWER, LATER)
        assert store.get(pinned).target == TARGET
