"""What every image store promises."""

import multiprocessing
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from img.adapters.image_store.memory import MemoryImageStore
from img.adapters.image_store.oci_layout import OciLayoutImageStore
from img.adapters.image_store.sqlite import SqliteImageStore
from img.adapters.storage.sqlite import Database
from img.application.ports.image_store import DigestNotNamed, ImageNotFound, ImageStore, StoredImage
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.codec import decode_index, encode_index
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index
from img.domain.oci.layout import LAYOUT_CONTENT, REF_NAME
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

Make = Callable[[Path], ImageStore]


def in_sqlite(root: Path) -> ImageStore:
    return SqliteImageStore(Database(root / "state.db"))


def in_memory(_root: Path) -> ImageStore:
    return MemoryImageStore()


SHARED: list[Make] = [in_sqlite, OciLayoutImageStore]


@pytest.fixture(params=[*SHARED, in_memory])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ImageStore:
    make: Make = request.param
    return make(tmp_path / "state")


def test_an_image_can_be_had_by_its_name(store: ImageStore) -> None:
    stored = store.put(APP, TARGET, NOON)

    assert stored == StoredImage(name=APP, target=TARGET, created=NOON, updated=NOON)
    assert store.get(APP) == stored


def test_only_the_exact_name_will_do(store: ImageStore) -> None:
    store.put(APP, TARGET, NOON)

    for reference in (OTHER, APP.with_tag("other"), APP.with_digest(TARGET.digest)):
        with pytest.raises(ImageNotFound) as missing:
            store.get(reference)
        assert missing.value.name == reference


def test_a_name_that_comes_to_stand_for_something_else_keeps_when_it_was_made(
    store: ImageStore,
) -> None:
    store.put(APP, TARGET, NOON)
    stored = store.put(APP, NEWER, LATER)

    assert stored == StoredImage(name=APP, target=NEWER, created=NOON, updated=LATER)
    assert store.get(APP) == stored


def test_the_same_again_changes_nothing(store: ImageStore) -> None:
    first = store.put(APP, TARGET, NOON)

    assert store.put(APP, TARGET, LATER) == first
    assert store.get(APP) == first


def test_times_are_utc_whatever_clock_they_came_from(store: ImageStore) -> None:
    store.put(APP, TARGET, NOON.astimezone(timezone(timedelta(hours=9))))

    assert store.get(APP).created == NOON


def test_images_are_listed_by_name(store: ImageStore) -> None:
    assert list(store.list()) == []

    pinned = ImageReference.parse("app:v1").with_digest(TARGET.digest)
    stored = [store.put(name, TARGET, NOON) for name in (OTHER, pinned, APP)]

    assert list(store.list()) == sorted(stored, key=lambda image: str(image.reference))


def test_a_removed_name_is_forgotten(store: ImageStore) -> None:
    store.put(APP, TARGET, NOON)
    store.put(OTHER, TARGET, NOON)
    store.remove(APP)

    assert [image.reference for image in store.list()] == [OTHER]
    with pytest.raises(ImageNotFound):
        store.remove(APP)


def test_a_name_that_is_made_anew_is_new(store: ImageStore) -> None:
    store.put(APP, TARGET, NOON)
    store.remove(APP)

    assert store.put(APP, TARGET, LATER).created == LATER


def test_an_image_may_have_no_name(store: ImageStore) -> None:
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


def test_a_name_takes_the_place_of_the_digest(store: ImageStore) -> None:
    store.put(TARGET.digest, TARGET, NOON)
    store.put(NEWER.digest, NEWER, NOON)
    named = store.put(APP, TARGET, LATER)

    assert list(store.list()) == [named, store.get(NEWER.digest)]


def test_what_has_a_name_is_not_kept_without_one_as_well(store: ImageStore) -> None:
    named = store.put(APP, TARGET, NOON)

    assert store.put(TARGET.digest, TARGET, LATER) == named
    assert list(store.list()) == [named]


@pytest.mark.parametrize("make", SHARED)
def test_asking_writes_nothing(make: Make, tmp_path: Path) -> None:
    store = make(tmp_path / "state")

    assert list(store.list()) == []
    with pytest.raises(ImageNotFound):
        store.get(APP)
    with pytest.raises(ImageNotFound):
        store.remove(APP)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("make", SHARED)
def test_another_opening_finds_what_the_first_one_stored(make: Make, tmp_path: Path) -> None:
    make(tmp_path).put(APP, TARGET, NOON)

    assert make(tmp_path).get(APP).target == TARGET


def put_names(make: Make, root: Path, number: int) -> None:
    store = make(root)
    for i in range(10):
        store.put(ImageReference.parse(f"app:{number}-{i}"), TARGET, NOON)
        store.put(APP, TARGET if i % 2 else NEWER, NOON)


@pytest.mark.parametrize("make", SHARED)
def test_processes_that_write_at_once_lose_no_name(make: Make, tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=put_names, args=(make, tmp_path, n)) for n in range(4)]

    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert [writer.exitcode for writer in writers] == [0, 0, 0, 0]
    assert len(make(tmp_path).list()) == 41


def test_in_a_layout_the_name_stands_in_full_under_the_specs_key(tmp_path: Path) -> None:
    OciLayoutImageStore(tmp_path).put(APP, TARGET, NOON)

    (entry,) = decode_index((tmp_path / "index.json").read_bytes()).manifests
    assert entry.annotations[REF_NAME] == "docker.io/library/app:latest"
    assert entry.annotations["org.example"] == "ü"


def test_in_a_layout_the_entries_of_others_stay_and_their_names_are_understood(
    tmp_path: Path,
) -> None:
    store = OciLayoutImageStore(tmp_path)
    store.put(OTHER, TARGET, NOON)
    index = decode_index((tmp_path / "index.json").read_bytes())
    nameless = replace(TARGET, digest=Digest.of(b"nameless"))
    short = replace(NEWER, annotations={REF_NAME: "app"})
    odd = replace(NEWER, annotations={REF_NAME: "No Name"})
    theirs = replace(index, manifests=(*index.manifests, nameless, short, odd))
    (tmp_path / "index.json").write_bytes(encode_index(theirs))

    assert store.get(APP).target == replace(NEWER, annotations={})
    store.put(APP, TARGET, NOON)
    store.remove(OTHER)

    assert store.get(APP).target == TARGET
    left = decode_index((tmp_path / "index.json").read_bytes())
    assert left.manifests[:2] == (nameless, odd)
    assert len(left.manifests) == 3


def test_in_a_layout_without_images_there_are_none(tmp_path: Path) -> None:
    (tmp_path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (tmp_path / "index.json").write_bytes(encode_index(Index()))

    assert list(OciLayoutImageStore(tmp_path).list()) == []


def test_a_name_with_a_digest_stands_for_that_alone(store: ImageStore) -> None:
    pinned = APP.with_digest(TARGET.digest)

    with pytest.raises(DigestNotNamed):
        store.put(pinned, NEWER, NOON)
    with pytest.raises(ImageNotFound):
        store.get(pinned)

    assert store.put(pinned, TARGET, NOON).target == TARGET
    with pytest.raises(DigestNotNamed):
        store.put(pinned, NEWER, LATER)
    assert store.get(pinned).target == TARGET


def test_a_wrong_image_that_an_earlier_version_put_under_a_digest_is_none(tmp_path: Path) -> None:
    database = Database(tmp_path / "state.db")
    store = SqliteImageStore(database)
    store.put(APP, NEWER, NOON)
    pinned = APP.with_digest(TARGET.digest)
    with database.transaction() as transaction:
        transaction.write("UPDATE images SET reference = ?", (str(pinned),))

    assert list(store.list()) == []
    with pytest.raises(ImageNotFound):
        store.get(pinned)
    assert store.put(pinned, TARGET, NOON).target == TARGET


def test_a_wrong_image_that_others_put_under_a_digest_is_none(tmp_path: Path) -> None:
    store = OciLayoutImageStore(tmp_path)
    store.put(APP, NEWER, NOON)
    pinned = APP.with_digest(TARGET.digest)
    index = decode_index((tmp_path / "index.json").read_bytes())
    (entry,) = index.manifests
    wrong = replace(entry, annotations={REF_NAME: str(pinned)})
    (tmp_path / "index.json").write_bytes(encode_index(Index(manifests=(wrong,))))

    assert list(store.list()) == []
    with pytest.raises(ImageNotFound):
        store.get(pinned)


@pytest.mark.parametrize("first", [0, 1])
def test_of_several_platforms_that_others_put_under_a_name_ours_counts(
    first: int, tmp_path: Path
) -> None:
    store = OciLayoutImageStore(tmp_path, Platform("linux", "amd64"))
    ours = replace(TARGET, platform=Platform("linux", "amd64"))
    named = [replace(each, annotations={REF_NAME: str(APP)}) for each in (ours, NEWER)]
    (tmp_path / "oci-layout").write_bytes(LAYOUT_CONTENT)
    index = Index(manifests=(named[first], named[1 - first]))
    (tmp_path / "index.json").write_bytes(encode_index(index))

    assert [image.target.digest for image in store.list()] == [ours.digest]
    store.put(APP, NEWER, NOON)
    assert [image.target for image in store.list()] == [NEWER]
