"""Contract tests of deletion from blob stores."""

from collections.abc import Callable
from pathlib import Path

import pytest

from img.adapters.blob_store.files import FileBlobStore
from img.adapters.blob_store.memory import MemoryBlobStore
from img.adapters.blob_store.oci_layout import OciLayoutBlobStore
from img.adapters.state_lock.memory import MemoryStateLock
from img.application.housekeeping.direct_trash import DirectTrash
from img.domain.digest import Digest
from img.domain.oci.layout import INDEX_FILE, LAYOUT_FILE
from img.testing.blob_trash import BlobTrashContract, Made, add, read


def in_memory(_root: Path) -> Made:
    blobs = MemoryBlobStore()
    return blobs, DirectTrash(blobs, MemoryStateLock())


def in_files(root: Path) -> Made:
    store = FileBlobStore(root)
    return store, store


def in_a_layout(root: Path) -> Made:
    store = OciLayoutBlobStore(root)
    return store, store


@pytest.fixture(params=[in_files, in_a_layout, in_memory])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Made:
    make: Callable[[Path], Made] = request.param
    return make(tmp_path / "state")


@pytest.fixture(params=[in_files, in_a_layout])
def on_disk(request: pytest.FixtureRequest, tmp_path: Path) -> FileBlobStore:
    make: Callable[[Path], tuple[FileBlobStore, FileBlobStore]] = request.param
    return make(tmp_path / "state")[0]


class TestBlobTrash(BlobTrashContract):
    pass


def test_who_asks_for_the_size_brings_it_back(on_disk: FileBlobStore) -> None:
    digest = add(on_disk)
    on_disk.mark_for_deletion(digest, 1)
    assert list(on_disk.digests()) == []

    assert on_disk.size(digest) == 7
    on_disk.sweep(1)

    assert list(on_disk.digests()) == [digest]
    assert read(on_disk, digest) == b"content"


def test_who_stores_it_again_keeps_it(on_disk: FileBlobStore) -> None:
    digest = add(on_disk)
    on_disk.mark_for_deletion(digest, 1)

    add(on_disk)
    on_disk.sweep(1)

    assert read(on_disk, digest) == b"content"


def test_in_a_layout_blobs_of_others_stay_until_they_are_adopted(tmp_path: Path) -> None:
    store = OciLayoutBlobStore(tmp_path)
    add(store, b"ours")
    theirs = Digest.of(b"theirs")
    (tmp_path / "blobs/sha256" / theirs.encoded).write_bytes(b"theirs")
    again = add(store, b"theirs")  # the same bytes, which were there already
    assert again == theirs

    store.mark_for_deletion(theirs, 1)
    facts = store.facts(theirs)
    assert facts is not None and not facts.ours
    assert list(store.marked_for_deletion()) == []

    store.claim([theirs])
    store.mark_for_deletion(theirs, 1)
    store.sweep(1)
    assert store.size(theirs) is None


def test_in_a_layout_that_is_only_written_no_marks_are_left(tmp_path: Path) -> None:
    digest = add(OciLayoutBlobStore(tmp_path, marks=False))

    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {
        LAYOUT_FILE,
        INDEX_FILE,
        digest.encoded,
    }


def test_a_store_without_a_trash_keeps_blobs_while_somebody_works() -> None:
    blobs, lock = MemoryBlobStore(), MemoryStateLock()
    digest = add(blobs)
    trash = DirectTrash(blobs, lock)

    with lock.working():
        trash.mark_for_deletion(digest, 1)
        trash.sweep(1)
    assert blobs.size(digest) == 7

    trash.mark_for_deletion(digest, 2)
    trash.sweep(2)
    assert blobs.size(digest) is None
