"""Giving room back."""

from dataclasses import replace

import pytest

from img.adapters.state_space.memory import MemoryStateSpace
from img.application.ports.state_space import Leftover
from img.domain.reference import ImageReference
from img.domain.retention import PrunePolicy
from img.domain.usage import Kind, UsageFilter
from tests.support.in_memory_app import InMemoryApp, image_of

APP = ImageReference.parse("app")
RUN = "FROM scratch\nCOPY a /\nRUN make\n"


def an_app() -> InMemoryApp:
    app = InMemoryApp()
    app.commands["make"] = lambda root: root.write("b", b"made")
    return app


def test_images_stay_whole() -> None:
    app = an_app()
    built = app.build(RUN, {"a": b"1"})

    app.container.housekeeping.prune()(PrunePolicy())

    assert app.files_of(built) == {"a": b"1", "b": b"made"}
    assert image_of(built).target == app.images.get(APP).target


def test_layers_that_no_image_needs_go_and_are_listed() -> None:
    app = an_app()
    old = app.build(RUN, {"a": b"1"})
    app.build(RUN, {"a": b"2"})
    copied = image_of(old).layers[0].descriptor.digest  # RUN made the same again

    removed = app.container.housekeeping.prune()(PrunePolicy())

    assert app.blobs.size(copied) is None
    assert copied.encoded in {item.id for item in removed}
    assert all(item.reclaimable for item in removed)


def test_unpacked_layers_go() -> None:
    app = an_app()
    app.build(RUN, {"a": b"1"})
    assert app.snapshotter.chain_ids()

    removed = app.container.housekeeping.prune()(PrunePolicy())

    assert app.snapshotter.chain_ids() == []
    assert {item.description for item in removed} == {"unpacked layers of " + str(APP)}


def test_what_an_image_keeps_anyway_is_still_found_by_the_next_build() -> None:
    app = an_app()
    app.build(RUN, {"a": b"1"})
    app.container.housekeeping.prune()(PrunePolicy())
    app.forget_progress()

    app.build(RUN)

    assert "[2/2] RUN make" in app.found


def test_without_the_whole_cache_the_next_build_starts_anew() -> None:
    app = an_app()
    app.build(RUN, {"a": b"1"})
    app.container.housekeeping.prune()(PrunePolicy(whole_cache=True))
    app.forget_progress()

    app.build(RUN)

    assert "[2/2] RUN make" in app.done
    assert list(app.cache.records())


def test_a_dry_run_says_what_would_go_and_lets_it_be() -> None:
    app = an_app()
    app.build(RUN, {"a": b"1"})
    app.build(RUN, {"a": b"2"})
    before = set(app.blobs.digests())
    prune = app.container.housekeeping.prune()

    told = prune(PrunePolicy(), dry_run=True)

    assert set(app.blobs.digests()) == before
    assert told == prune(PrunePolicy())


def test_what_a_filter_does_not_match_stays_be_it_garbage() -> None:
    app = an_app()
    app.build(RUN, {"a": b"1"})
    stray = app.layer({"stray": b"1"})

    app.container.housekeeping.prune()(PrunePolicy(filter=UsageFilter(text="unpacked")))

    assert app.snapshotter.chain_ids() == []
    assert app.blobs.size(stray.descriptor.digest) is not None


def test_while_others_work_blobs_that_they_may_have_found_stay() -> None:
    app = an_app()
    app.build(RUN, {"a": b"1"})
    app.build(RUN, {"a": b"2"})
    before = set(app.blobs.digests())

    with app.lock.working():
        app.container.housekeeping.prune()(PrunePolicy())
        assert set(app.blobs.digests()) == before

    app.container.housekeeping.prune()(PrunePolicy())
    assert set(app.blobs.digests()) < before


def test_a_build_deletes_what_others_have_left_and_what_waited_for_it() -> None:
    app = an_app()
    old = Leftover(id="tmp/1.2", size=1, changed=1.0, description="left")
    part = Leftover(id="incoming/x", size=1, changed=1.0, description="part", resumable=True)
    space = MemoryStateSpace(old, part)
    app.container.housekeeping.space.override(space)

    app.build(RUN, {"a": b"1"})

    assert space.left == [part]


def test_a_build_keeps_the_cache_below_the_cap_and_images_whole() -> None:
    app = an_app()
    tidy = replace(app.container.housekeeping.keep_tidy(), cap=1)
    app.build(RUN, {"a": b"1"})
    built = app.build(RUN, {"a": b"2"})

    tidy()

    assert app.snapshotter.chain_ids() == []
    assert app.files_of(built) == {"a": b"2", "b": b"made"}
    assert {item.kind for item in app.container.housekeeping.disk_usage()()} == {
        Kind.IMAGE,
        Kind.STATE,
    }


def test_where_nothing_has_grown_the_cap_is_not_looked_at() -> None:
    app = an_app()
    lookup = app.container.building.lookup()
    assert not lookup.has_new
    app.build(RUN, {"a": b"1"})
    assert lookup.has_new

    replace(app.container.housekeeping.keep_tidy(), cap=1)(grown=False)

    assert app.snapshotter.chain_ids()


def test_no_cap_is_no_cap() -> None:
    app = an_app()
    app.build(RUN, {"a": b"1"})

    replace(app.container.housekeeping.keep_tidy(), cap=0)()

    assert app.snapshotter.chain_ids()


def test_images_without_a_name_go_and_their_layers_with_them() -> None:
    app = an_app()
    nameless = image_of(app.build(RUN, {"a": b"1"}, tags=[]))
    named = app.build(RUN, {"a": b"2"})
    prune = app.container.housekeeping.prune()

    announced = prune(PrunePolicy(), dry_run=True)
    assert nameless.target.digest in {image.name for image in app.images.list()}
    removed = prune(PrunePolicy())

    assert [image.name for image in app.images.list()] == [APP]
    assert {item.id for item in announced} == {item.id for item in removed}
    for items in (announced, removed):
        (image,) = [item for item in items if item.id == nameless.target.digest.encoded]
        assert (image.kind, image.description) == (Kind.IMAGE, f"image {nameless.target.digest}")
    for blob in (nameless.target, nameless.manifest.config, nameless.layers[0].descriptor):
        assert blob.digest.encoded in {item.id for item in removed}
        assert app.blobs.size(blob.digest) is None
    assert app.files_of(named) == {"a": b"2", "b": b"made"}


@pytest.mark.parametrize(
    "policy",
    [
        PrunePolicy(filter=UsageFilter(kinds=frozenset({Kind.LAYER}))),
        PrunePolicy(max_used=0),
        PrunePolicy(min_free=1 << 60),
        PrunePolicy(reserved=1),
        PrunePolicy(images=False),
        PrunePolicy(images=False, whole_cache=True),
    ],
)
def test_with_conditions_only_the_cache_is_pruned(policy: PrunePolicy) -> None:
    app = an_app()
    nameless = app.build(RUN, {"a": b"1"}, tags=[])

    app.container.housekeeping.prune()(policy)

    assert app.files_of(nameless) == {"a": b"1", "b": b"made"}
