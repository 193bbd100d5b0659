"""Garbage, and pruned items."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.chain import DiffID, Layer, chain_ids_of
from img.domain.oci.codec import encode_config, encode_index, encode_manifest
from img.domain.oci.config import ImageConfig
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index
from img.domain.oci.manifest import Manifest
from img.domain.platform import Platform
from img.domain.retention import (
    Garbage,
    Need,
    PrunePolicy,
    Stored,
    garbage_in,
    live_in,
    needs_of,
)
from img.domain.usage import Kind, UsageFilter, UsedItem


class State:
    """Blobs, and all that was ever put there."""

    def __init__(self) -> None:
        self.blobs: dict[Digest, bytes] = {}

    def add(self, content: bytes, media_type: str) -> Descriptor:
        self.blobs[Digest.of(content)] = content
        return Descriptor(media_type=media_type, digest=Digest.of(content), size=len(content))

    def image(self, *layers: bytes) -> Descriptor:
        config = ImageConfig(platform=Platform("linux", "amd64"), diff_ids=diff_ids_of(*layers))
        manifest = Manifest(
            config=self.add(encode_config(config), media_types.OCI_CONFIG),
            layers=tuple(self.add(layer, media_types.OCI_LAYER_GZIP) for layer in layers),
        )
        return self.add(encode_manifest(manifest), media_types.OCI_MANIFEST)

    def index(self, *manifests: Descriptor) -> Descriptor:
        return self.add(encode_index(Index(manifests=manifests)), media_types.OCI_INDEX)

    def stored(self, *layers: bytes) -> Stored:
        return Stored(
            blobs=frozenset(self.blobs),
            indexes=frozenset(diff_ids_of(*layers)),
            snapshots=frozenset(chain_ids_of(diff_ids_of(*layers))),
        )


def diff_ids_of(*layers: bytes) -> tuple[DiffID, ...]:
    return tuple(DiffID(Digest.of(b"tar of " + layer)) for layer in layers)


def garbage(
    state: State, stored: Stored, *images: Descriptor, layers: Sequence[Layer] = ()
) -> Garbage:
    return garbage_in(stored, live_in(images=images, layers=layers, read=state.blobs.get))


def test_all_that_an_image_is_made_of_stays() -> None:
    state = State()
    image = state.image(b"a", b"b")

    found = garbage(state, state.stored(b"a", b"b"), image)

    assert found == Garbage()


def test_what_no_name_leads_to_goes() -> None:
    state = State()
    kept = state.image(b"a")
    other = set(state.blobs)
    state.image(b"a", b"b")

    found = garbage(state, state.stored(b"a", b"b"), kept)

    assert found.blobs == frozenset(state.blobs) - other
    assert found.indexes == frozenset(diff_ids_of(b"b"))
    assert found.snapshots == {chain_ids_of(diff_ids_of(b"a", b"b"))[1]}


def test_an_index_keeps_its_manifests_however_deep_and_needs_not_all_of_them() -> None:
    state = State()
    image = state.image(b"a")
    absent = Descriptor(media_type=media_types.OCI_MANIFEST, digest=Digest.of(b"?"), size=1)
    index = state.index(state.index(image), absent)

    found = garbage(state, state.stored(b"a"), index)

    assert found == Garbage()


def test_a_cache_record_keeps_its_layer_but_no_snapshot() -> None:
    state = State()
    blob = state.add(b"a", media_types.OCI_LAYER_GZIP)
    layer = Layer(diff_ids_of(b"a")[0], blob)

    found = garbage(state, state.stored(b"a"), layers=[layer])

    assert found == Garbage(snapshots=frozenset(chain_ids_of([layer.diff_id])))


def test_damaged_and_foreign_documents_keep_themselves_and_do_no_harm() -> None:
    state = State()
    damaged = state.add(b"{", media_types.OCI_MANIFEST)
    foreign = state.add(b"anything", "application/x")
    artifact = state.add(
        encode_manifest(Manifest(config=state.add(b"no config", media_types.OCI_CONFIG))),
        media_types.OCI_MANIFEST,
    )

    found = garbage(state, state.stored(), damaged, foreign, artifact)

    assert found == Garbage()


def test_only_documents_are_read() -> None:
    state = State()
    image = state.image(b"a")
    read: list[Digest] = []

    def reading(digest: Digest) -> bytes | None:
        read.append(digest)
        return state.blobs[digest]

    live_in(images=[image, image], layers=[], read=reading)

    assert len(read) == 2


NOW = datetime(2026, 1, 31, tzinfo=UTC)


def item(name: str, size: int, hours: int, kind: Kind = Kind.LAYER, kept_by: str = "") -> UsedItem:
    return UsedItem(
        id=name,
        kind=kind,
        size=size,
        description=name,
        kept_by=kept_by,
        used=NOW - timedelta(hours=hours),
    )


ITEMS = [
    item("new", 10, 1),
    item("old", 20, 9),
    item("kept", 1000, 99, kept_by="an image"),
    item("unpacked", 30, 9, Kind.SNAPSHOT),
    item("cache", 40, 5, Kind.CACHE_MOUNT),
]


def names(policy: PrunePolicy, free: int = 0) -> list[str]:
    return [each.id for each in policy.chosen(ITEMS, free)]


ALL = frozenset(Kind)


def test_without_a_limit_all_goes_that_may_and_is_of_the_kinds_wanted() -> None:
    assert names(PrunePolicy()) == ["unpacked", "old", "new"]
    assert names(PrunePolicy(kinds=ALL)) == ["unpacked", "old", "cache", "new"]


def test_below_a_limit_what_was_used_last_stays_and_of_what_is_equally_old_layers_do() -> None:
    assert names(PrunePolicy(kinds=ALL, max_used=100)) == []
    assert names(PrunePolicy(kinds=ALL, max_used=99)) == ["unpacked"]
    assert names(PrunePolicy(kinds=ALL, max_used=69)) == ["unpacked", "old"]
    assert names(PrunePolicy(kinds=ALL, max_used=0)) == ["unpacked", "old", "cache", "new"]


def test_so_much_goes_that_so_much_is_free() -> None:
    assert names(PrunePolicy(kinds=ALL, min_free=100), free=100) == []
    assert names(PrunePolicy(kinds=ALL, min_free=100), free=60) == ["unpacked", "old"]


def test_what_is_reserved_stays() -> None:
    assert names(PrunePolicy(kinds=ALL, reserved=50)) == ["unpacked", "old"]


def test_a_filter_says_what_may_go() -> None:
    wanted = UsageFilter(until=NOW - timedelta(hours=6))

    assert names(PrunePolicy(filter=wanted)) == ["unpacked", "old"]
    assert names(PrunePolicy(filter=wanted, kinds=frozenset({Kind.LAYER}))) == ["old"]


def test_what_a_killed_process_left_goes_before_all_else() -> None:
    left = item("left", 1, 0, Kind.LEFTOVER)

    assert PrunePolicy(max_used=100).chosen([*ITEMS, left], 0) == [left]


def test_a_result_is_needed_as_long_as_what_stands_on_it() -> None:
    base, a, b, c, other = (Digest.of(name) for name in (b"base", b"a", b"b", b"c", b"other"))
    hours = {a: 9, b: 5, c: 1, other: 3}
    below = {a: base, b: a, c: b, other: a}

    needs = needs_of({key: (NOW - timedelta(hours=hours[key]), below[key]) for key in hours})

    assert needs == {
        a: Need(moment=NOW - timedelta(hours=1), depth=1),
        b: Need(moment=NOW - timedelta(hours=1), depth=2),
        c: Need(moment=NOW - timedelta(hours=1), depth=3),
        other: Need(moment=NOW - timedelta(hours=3), depth=2),
    }


def test_results_that_are_said_to_stand_on_one_another_are_no_trouble() -> None:
    a, b = Digest.of(b"a"), Digest.of(b"b")

    assert needs_of({a: (NOW, b), b: (NOW, a)}).keys() == {a, b}


def test_what_others_stand_on_goes_after_them() -> None:
    below = replace(item("below", 10, 9), needed=NOW - timedelta(hours=2), depth=1)
    above = replace(item("above", 10, 2), needed=NOW - timedelta(hours=2), depth=2)
    older = item("older", 10, 3)

    chosen = PrunePolicy(max_used=0).chosen([below, above, older], 0)

    assert [each.id for each in chosen] == ["older", "above", "below"]
