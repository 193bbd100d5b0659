"""Collecting garbage."""

from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference
from img.domain.retention import live_in
from tests.support.workshop import Workshop


def collect(workshop: Workshop, *removed: Descriptor) -> None:
    freed = live_in(
        images=removed, layers=[], read=workshop.container.housekeeping.inventory().read
    )
    workshop.container.housekeeping.collect().after_removal(freed)


def test_nothing_that_leads_somewhere_goes() -> None:
    workshop = Workshop()
    built = workshop.build("FROM scratch\nCOPY a /\n", {"a": b"1"})
    before = set(workshop.blobs.digests())

    collect(workshop)

    assert set(workshop.blobs.digests()) == before
    assert list(workshop.indexes.diff_ids())
    assert workshop.files_of(built) == {"a": b"1"}


def test_what_nothing_leads_to_goes() -> None:
    workshop = Workshop()
    stray = workshop.layer({"a": b"1"})
    workshop.container.images.trees().of([stray])

    collect(workshop)

    assert list(workshop.blobs.digests()) == list(workshop.indexes.diff_ids()) == []


def test_an_image_whose_manifest_is_gone_stops_nothing() -> None:
    workshop = Workshop()
    broken = workshop.build("FROM scratch\nCOPY a /\n", {"a": b"1"})
    workshop.blobs.remove(broken.target.digest)

    collect(workshop)

    assert workshop.images.list()


def test_unpacked_layers_go_with_the_image_they_are_of_and_others_stay() -> None:
    workshop = Workshop()
    workshop.commands["make"] = lambda root: root.write("b", b"made")
    gone = workshop.build("FROM scratch\nCOPY a /\nRUN make\n", {"a": b"1"}, tags=["gone"])
    workshop.build("FROM scratch\nCOPY a /\nRUN make\n", {"a": b"2"}, tags=["kept"])
    workshop.build("FROM scratch\nCOPY a /\nRUN make\n", {"a": b"3"}, tags=["kept"])
    before = len(workshop.snapshotter.chain_ids())

    workshop.images.remove(ImageReference.parse("gone"))
    collect(workshop, gone.target)

    assert len(workshop.snapshotter.chain_ids()) == before - 1


def test_while_somebody_works_nothing_goes_that_he_may_have_found() -> None:
    workshop = Workshop()
    stray = workshop.layer({"a": b"1"})

    with workshop.lock.working():
        collect(workshop)
        assert workshop.blobs.size(stray.descriptor.digest) is not None

    collect(workshop)
    assert workshop.blobs.size(stray.descriptor.digest) is None
