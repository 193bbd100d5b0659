"""Contract tests of blob stores, and tests of what each adapter adds."""

import hashlib
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from img.adapters.blob_store.files import FileBlobStore, FileBlobWriter
from img.adapters.blob_store.memory import MemoryBlobStore
from img.adapters.blob_store.oci_layout import OciLayoutBlobStore
from img.adapters.blob_store.shared import SharedBlobs, WithSharedBlobs
from img.application.ports.blob_store import (
    BlobDamaged,
    BlobStore,
    StoreFull,
)
from img.domain.digest import Digest
from img.domain.errors import StateError
from img.domain.oci.codec import decode_index
from img.domain.oci.index import Index
from img.domain.oci.layout import check_layout
from img.testing.blob_store import BlobStoreContract, add, read


class NamedFilesBlobStore(FileBlobStore):
    """The file store as it works where O_TMPFILE does not."""


MUCH = bytes(1 << 17)
"""Too much for a writer to hold it in memory."""
Make = Callable[[Path], BlobStore]
ON_DISK: list[Make] = [FileBlobStore, OciLayoutBlobStore, NamedFilesBlobStore]


def in_memory(_root: Path) -> BlobStore:
    return MemoryBlobStore()


def before_a_shared_one(root: Path) -> BlobStore:
    return WithSharedBlobs(FileBlobStore(root), [SharedBlobs(root / "shared")])


@pytest.fixture(params=[*ON_DISK, in_memory, before_a_shared_one])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> BlobStore:
    if request.param is NamedFilesBlobStore:
        # What open(2) says of it where the flag is not known: a directory cannot be written.
        monkeypatch.setattr(os, "O_TMPFILE", os.O_DIRECTORY)
    made: BlobStore = request.param(tmp_path / "state")
    return made


def damage(root: Path, digest: Digest, content: bytes) -> None:
    (file,) = root.rglob(digest.encoded)
    file.write_bytes(content)


@pytest.fixture(params=ON_DISK)
def disk_store(request: pytest.FixtureRequest, tmp_path: Path) -> FileBlobStore:
    made: FileBlobStore = request.param(tmp_path / "state")
    return made


class TestBlobStore(BlobStoreContract):
    pass


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("found", [b"c0ntent", b"conten", b"content, and more", b""])
def test_a_damaged_blob_is_named_before_its_last_bytes_are_read(
    disk_store: FileBlobStore, tmp_path: Path, found: bytes, algorithm: str
) -> None:
    digest = Digest(algorithm, hashlib.new(algorithm, b"content").hexdigest())
    add(disk_store, b"content", digest)
    damage(tmp_path, digest, found)

    for size in (-1, 3):
        with disk_store.open(digest) as blob, pytest.raises(BlobDamaged, match=digest.encoded):
            while blob.read(size):
                pass


def test_a_blob_that_is_read_in_leaps_is_read_unverified(
    disk_store: FileBlobStore, tmp_path: Path
) -> None:
    digest = add(disk_store, bytes(1 << 20))
    damage(tmp_path, digest, b"damaged" + bytes((1 << 20) - 7))

    with disk_store.open(digest) as blob:
        blob.seek(1 << 19)
        assert len(blob.read()) == 1 << 19
        blob.seek(0)
        with pytest.raises(BlobDamaged):
            blob.read()


def test_committing_the_right_bytes_heals_a_damaged_blob(
    disk_store: FileBlobStore, tmp_path: Path
) -> None:
    digest = add(disk_store, b"content")
    damage(tmp_path, digest, b"c0ntent")

    add(disk_store, b"content", digest)

    assert read(disk_store, digest) == b"content"


@pytest.mark.parametrize("content", [b"", b"content"])
def test_a_small_blob_that_is_stored_is_not_written_again_and_counts_as_new(
    disk_store: FileBlobStore, tmp_path: Path, content: bytes
) -> None:
    digest = add(disk_store, content)
    (file,) = tmp_path.rglob(digest.encoded)
    former = file.stat().st_ino
    os.utime(file, (0, 0))

    add(disk_store, content, digest)

    assert file.stat().st_ino == former
    assert file.stat().st_mtime > 0


def test_a_small_blob_that_is_removed_while_it_is_compared_is_written_again(
    disk_store: FileBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = add(disk_store, b"content")
    stamp = os.utime

    def remove_then_stamp(file: int) -> None:
        disk_store.remove(digest)
        stamp(file)

    monkeypatch.setattr(os, "utime", remove_then_stamp)

    add(disk_store, b"content", digest)

    assert read(disk_store, digest) == b"content"


def test_a_large_blob_that_is_stored_is_written_again(
    disk_store: FileBlobStore, tmp_path: Path
) -> None:
    digest = add(disk_store, MUCH)
    damage(tmp_path, digest, MUCH[1:])

    add(disk_store, MUCH, digest)

    assert read(disk_store, digest) == MUCH


def write_many(root: Path) -> None:
    store = FileBlobStore(root)
    for i in range(100):
        add(store, b"%d" % i * 5000)


def test_processes_may_write_the_same_blobs_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=write_many, args=(tmp_path,)) for _ in range(4)]

    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    store = FileBlobStore(tmp_path)
    assert [writer.exitcode for writer in writers] == [0, 0, 0, 0]
    assert len(list(store.digests())) == 100
    assert all(Digest.of(read(store, digest)) == digest for digest in store.digests())


ENDLESS_WRITER = """
import sys
from pathlib import Path
from img.adapters.blob_store.files import FileBlobStore
writer = FileBlobStore(Path(sys.argv[1])).writer()
writer.write(bytes(1000))
print("writing", flush=True)
while True:
    writer.write(bytes(1000))
"""


def test_a_writer_that_is_killed_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ENDLESS_WRITER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.send_signal(signal.SIGKILL)
        child.wait()

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_without_nameless_files_what_a_killed_writer_left_is_swept_a_day_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "O_TMPFILE", os.O_DIRECTORY)
    store = FileBlobStore(tmp_path)
    abandoned = store.writer()
    abandoned.write(MUCH)
    (left,) = (tmp_path / "tmp").iterdir()
    assert list(store.digests()) == []

    add(store, b"a")
    assert left.exists()  # another process may still need it

    os.utime(left, (0, 0))
    add(store, b"b")
    assert list((tmp_path / "tmp").iterdir()) == []
    abandoned.abort()


def test_files_that_are_no_blobs_are_passed_over(tmp_path: Path) -> None:
    store = FileBlobStore(tmp_path)
    digest = add(store, b"content")
    (tmp_path / "blobs" / "sha256" / "README").touch()
    (tmp_path / "blobs" / "notes").touch()

    assert list(store.digests()) == [digest]


def test_a_full_disk_is_told_as_such(tmp_path: Path) -> None:
    store = FileBlobStore(tmp_path)
    writer = store.writer()
    assert isinstance(writer, FileBlobWriter)
    with Path("/dev/full").open("wb", buffering=0) as full:
        os.dup2(full.fileno(), writer._own_file().descriptor)  # a full disk is hard to come by

    with pytest.raises(StoreFull, match="no space left") as refused:
        writer.write(b"content")

    writer.abort()
    assert refused.value.hint
    assert list(store.digests()) == []


@pytest.mark.plain_user
def test_a_state_of_somebody_else_is_told_as_such(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StateError, match="cannot be written"):
        add(FileBlobStore(tmp_path), b"content")
    tmp_path.chmod(0o700)


def test_a_state_that_cannot_be_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "state").touch()

    with pytest.raises(StateError, match="state"):
        add(FileBlobStore(tmp_path / "state"), b"content")


def test_the_first_blob_makes_an_oci_layout_and_later_ones_leave_it_alone(tmp_path: Path) -> None:
    store = OciLayoutBlobStore(tmp_path / "layout")
    digest = add(store, b"content")
    (tmp_path / "layout" / "index.json").write_text("{}")
    add(store, b"more")

    check_layout((tmp_path / "layout" / "oci-layout").read_bytes())
    assert (tmp_path / "layout" / "blobs" / "sha256" / digest.encoded).read_bytes() == b"content"
    assert (tmp_path / "layout" / "index.json").read_text() == "{}"


def test_a_new_layout_has_no_images(tmp_path: Path) -> None:
    add(OciLayoutBlobStore(tmp_path), b"content")

    assert decode_index((tmp_path / "index.json").read_bytes()) == Index()
