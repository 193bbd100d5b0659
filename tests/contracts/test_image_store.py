"""Contract tests of image stores, and tests of what each adapter adds."""

import multiprocessing
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from img.adapters.blob_store.memory import MemoryBlobStore
from img.adapters.image_store.memory import MemoryImageStore
from img.adapters.image_store.oci_layout import OciLayoutImageStore
from img.adapters.image_store.shared import WithSharedImages
from img.adapters.image_store.sqlite import SqliteImageStore
from img.adapters.storage.sqlite import Database
from img.application.ports.image_store import ImageNotFound, ImageStore
from img.domain.digest import Digest
from img.domain.oci.codec import decode_index, encode_index
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.fields import InvalidDocument
from img.domain.oci.index import Index
from img.domain.oci.layout import LAYOUT_CONTENT, REF_NAME
from img.domain.oci.media_types import OCI_INDEX
from img.domain.platform import Platform
from img.domain.reference import ImageReference
from img.testing.image_store import APP, NEWER, NOON, OTHER, TARGET, ImageStoreContract

Make = Callable[[Path], ImageStore]


def in_sqlite(root: Path) -> ImageStore:
    return SqliteImageStore(Database(root / "state.db"))


def in_memory(_root: Path) -> ImageStore:
    return MemoryImageStore()


SHARED: list[Make] = [in_sqlite, OciLayoutImageStore]


def before_a_shared_one(root: Path) -> ImageStore:
    shared = OciLayoutImageStore(root / "shared")
    return WithSharedImages(in_memory(root), [shared], MemoryBlobStore(), lambda _: None)


@pytest.fixture(params=[*SHARED, in_memory, before_a_shared_one])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ImageStore:
    make: Make = request.param
    return make(tmp_path / "state")


class TestImageStore(ImageStoreContract):
    pass


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


def test_documents_of_an_image_are_adopted_once_and_within_limits() -> None:
    blobs, adopted = MemoryBlobStore(), list[Digest]()
    store = WithSharedImages(MemoryImageStore(), (), blobs, adopted.append)
    target, targets = TARGET, list[Descriptor]()
    for _ in range(9):  # each has the one before twice
        content = encode_index(Index(manifests=(target, target)))
        writer = blobs.writer()
        writer.write(content)
        writer.commit(Digest.of(content))
        digest, size = Digest.of(content), len(content)
        target = Descriptor(media_type=OCI_INDEX, digest=digest, size=size)
        targets.append(target)

    store.put(APP, targets[7], NOON)
    with pytest.raises(InvalidDocument, match="more than 8 indexes"):
        store.put(APP, targets[8], NOON)

    assert adopted == [each.digest for each in targets[:8]]


def test_a_shared_store_that_cannot_be_read_is_named_and_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("img.application.log._settings.configure", None)  # that of a command
    (tmp_path / "one").mkdir()
    (tmp_path / "one/oci-layout").write_bytes(LAYOUT_CONTENT)
    (tmp_path / "one/index.json").write_text("[")
    readable = MemoryImageStore()
    readable.put(APP, TARGET, NOON)
    shared = (OciLayoutImageStore(tmp_path / "one"), readable)
    store = WithSharedImages(MemoryImageStore(), shared, MemoryBlobStore(), lambda _: None)

    with capture_logs() as logs:
        assert store.get(APP).target == TARGET
        with pytest.raises(ImageNotFound):
            store.get(OTHER)

    assert [each["event"] for each in logs] == ["unreadable shared store"] * 2
