"""Giving room back."""

from img.adapters.layer_archive.tar import TarLayerArchive
from img.adapters.snapshotter.memory import MemorySnapshotter
from img.adapters.state_lock.memory import MemoryStateLock
from img.domain.digest import Digest
from img.domain.oci.chain import ChainID
from img.domain.reference import ImageReference
from tests.unit.application.workshop import Workshop, image_of

APP = ImageReference.parse("app")
RUN = "FROM scratch\nCOPY a /\nRUN make\n"


def a_workshop() -> Workshop:
    workshop = Workshop()
    workshop.commands["make"] = lambda root: root.write("b", b"made")
    return workshop


def test_images_stay_whole() -> None:
    workshop = a_workshop()
    built = workshop.build(RUN, {"a": b"1"})

    workshop.container.prune()()

    assert workshop.files_of(built) == {"a": b"1", "b": b"made"}
    assert image_of(built).target == workshop.images.get(APP).target


def test_layers_that_no_image_needs_go_and_are_listed() -> None:
    workshop = a_workshop()
    old = workshop.build(RUN, {"a": b"1"})
    workshop.build(RUN, {"a": b"2"})
    copied = image_of(old).layers[0].descriptor.digest  # RUN made the same again

    removed = workshop.container.prune()()

    assert workshop.blobs.size(copied) is None
    assert copied.encoded[:25] in {item.id for item in removed}
    assert all(item.reclaimable for item in removed)


def test_unpacked_layers_go() -> None:
    workshop = a_workshop()
    workshop.build(RUN, {"a": b"1"})
    assert workshop.snapshotter.chain_ids()

    removed = workshop.container.prune()()

    assert workshop.snapshotter.chain_ids() == []
    assert "unpacked layers" in {item.description for item in removed}


def test_the_next_build_starts_anew() -> None:
    workshop = a_workshop()
    workshop.build(RUN, {"a": b"1"})
    workshop.container.prune()()
    workshop.forget_progress()

    workshop.build(RUN)

    assert "[2/2] RUN make" in workshop.done


def test_while_others_work_nothing_goes() -> None:
    workshop = a_workshop()
    workshop.build(RUN, {"a": b"1"})
    before = set(workshop.blobs.digests())

    with workshop.lock.working():
        assert workshop.container.prune()() == []

    assert set(workshop.blobs.digests()) == before
    assert workshop.snapshotter.chain_ids()


class WatchedSnapshotter(MemorySnapshotter):
    """Looks, while it removes, whether somebody could begin to work."""

    def __init__(self, lock: MemoryStateLock) -> None:
        super().__init__(TarLayerArchive())
        self._state_lock = lock
        self.held: list[bool] = []

    def remove(self, chain_id: ChainID) -> None:
        self.held.append(self._state_lock._lock.locked())
        super().remove(chain_id)


def test_nobody_begins_to_work_while_unpacked_layers_are_removed() -> None:
    workshop = a_workshop()
    watched = WatchedSnapshotter(workshop.lock)
    workshop.snapshotter = watched
    workshop.container.snapshotter.override(watched)
    workshop.build(RUN, {"a": b"1"})

    workshop.container.prune()()

    assert watched.held == [True]


def test_parts_of_blobs_that_never_came_whole_go_too() -> None:
    workshop = Workshop()
    digest = Digest.of(b"whole")
    with workshop.blobs.incoming(digest, lambda _: None) as blob:
        blob.write(b"wh")

    workshop.container.prune()()

    with workshop.blobs.incoming(digest, lambda _: None) as blob:
        assert blob.size == 0
