"""Collecting garbage."""

from img.domain.reference import ImageReference
from tests.unit.application.workshop import Workshop, image_of

APP = ImageReference.parse("app")


def test_nothing_that_leads_somewhere_goes() -> None:
    workshop = Workshop()
    built = workshop.build("FROM scratch\nCOPY a /\n", {"a": b"1"})
    before = set(workshop.blobs.digests())

    garbage = workshop.container.collect()()

    assert garbage is not None and not garbage.blobs and not garbage.indexes
    assert set(workshop.blobs.digests()) == before
    assert workshop.files_of(built) == {"a": b"1"}


def test_what_nothing_leads_to_goes() -> None:
    workshop = Workshop()
    stray = workshop.layer({"a": b"1"})
    workshop.container.trees().of([stray])

    garbage = workshop.container.collect()()

    assert garbage is not None
    assert garbage.blobs == {stray.descriptor.digest}
    assert garbage.indexes == {stray.diff_id}
    assert list(workshop.blobs.digests()) == list(workshop.indexes.diff_ids()) == []


def test_an_image_whose_manifest_is_gone_stops_nothing() -> None:
    workshop = Workshop()
    broken = workshop.build("FROM scratch\nCOPY a /\n", {"a": b"1"})
    workshop.blobs.remove(broken.target.digest)

    assert workshop.container.collect()() is not None


def test_a_forgotten_cache_takes_with_it_what_only_it_kept() -> None:
    workshop = Workshop()
    old = image_of(workshop.build("FROM scratch\nCOPY a /\n", {"a": b"1"}))
    workshop.build("FROM scratch\nCOPY a /\n", {"a": b"2"})
    layer = old.layers[0].descriptor.digest
    collect = workshop.container.collect()

    collect()
    kept = workshop.blobs.size(layer) is not None
    collect(forget_cache=True)

    assert kept
    assert workshop.blobs.size(layer) is None
    assert list(workshop.cache.records()) == []


def test_while_somebody_works_nothing_goes() -> None:
    workshop = Workshop()
    stray = workshop.layer({"a": b"1"})

    with workshop.lock.working():
        assert workshop.container.collect()() is None

    assert workshop.blobs.size(stray.descriptor.digest) is not None
