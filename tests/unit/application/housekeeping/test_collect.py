"""Collecting garbage."""

from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference
from img.domain.retention import live_in
from tests.support.in_memory_app import InMemoryApp


def collect(app: InMemoryApp, *removed: Descriptor) -> None:
    freed = live_in(images=removed, layers=[], read=app.container.housekeeping.inventory().read)
    app.container.housekeeping.collect().after_removal(freed)


def test_nothing_that_leads_somewhere_goes() -> None:
    app = InMemoryApp()
    built = app.build("FROM scratch\nCOPY a /\n", {"a": b"1"})
    before = set(app.blobs.digests())

    collect(app)

    assert set(app.blobs.digests()) == before
    assert list(app.indexes.diff_ids())
    assert app.files_of(built) == {"a": b"1"}


def test_what_nothing_leads_to_goes() -> None:
    app = InMemoryApp()
    stray = app.layer({"a": b"1"})
    app.container.images.trees().of([stray])

    collect(app)

    assert list(app.blobs.digests()) == list(app.indexes.diff_ids()) == []


def test_an_image_whose_manifest_is_gone_stops_nothing() -> None:
    app = InMemoryApp()
    broken = app.build("FROM scratch\nCOPY a /\n", {"a": b"1"})
    app.blobs.remove(broken.target.digest)

    collect(app)

    assert app.images.list()


def test_unpacked_layers_go_with_the_image_they_are_of_and_others_stay() -> None:
    app = InMemoryApp()
    app.commands["make"] = lambda root: root.write("b", b"made")
    gone = app.build("FROM scratch\nCOPY a /\nRUN make\n", {"a": b"1"}, tags=["gone"])
    app.build("FROM scratch\nCOPY a /\nRUN make\n", {"a": b"2"}, tags=["kept"])
    app.build("FROM scratch\nCOPY a /\nRUN make\n", {"a": b"3"}, tags=["kept"])
    before = len(app.snapshotter.chain_ids())

    app.images.remove(ImageReference.parse("gone"))
    collect(app, gone.target)

    assert len(app.snapshotter.chain_ids()) == before - 1


def test_while_somebody_works_nothing_goes_that_he_may_have_found() -> None:
    app = InMemoryApp()
    stray = app.layer({"a": b"1"})

    with app.lock.working():
        collect(app)
        assert app.blobs.size(stray.descriptor.digest) is not None

    collect(app)
    assert app.blobs.size(stray.descriptor.digest) is None
