"""The contract of blob stores for blobs that arrive in parts."""

import hashlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from img.adapters.blob_store.files import FileBlobStore
from img.adapters.blob_store.memory import MemoryBlobStore
from img.adapters.blob_store.oci_layout import OciLayoutBlobStore
from img.application.ports.blob_store import BlobMismatch, BlobStore, IncomingBlob, Waiting
from img.domain.digest import Digest
from tests.support.host.waiting import wait_until

CONTENT = bytes(range(256)) * 10_000
WHOLE = Digest.of(CONTENT)


class SimpleBlobStore(MemoryBlobStore):
    """A store that keeps no parts, as those of extensions may."""

    @contextmanager
    def incoming(self, digest: Digest, waiting: Waiting) -> Iterator[IncomingBlob]:
        with BlobStore.incoming(self, digest, waiting) as blob:
            yield blob


Make = Callable[[Path], BlobStore]


def in_memory(_root: Path) -> BlobStore:
    return MemoryBlobStore()


def simple(_root: Path) -> BlobStore:
    return SimpleBlobStore()


KEEPING: list[Make] = [FileBlobStore, OciLayoutBlobStore, in_memory]


@pytest.fixture(params=[*KEEPING, simple])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    make: Make = request.param
    return make(tmp_path / "state")


@pytest.fixture(params=KEEPING)
def keeping(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    make: Make = request.param
    return make(tmp_path / "state")


def arriving(store: BlobStore, digest: Digest = WHOLE) -> AbstractContextManager[IncomingBlob]:
    return store.incoming(digest, lambda _: None)


def read(store: BlobStore, digest: Digest = WHOLE) -> bytes:
    with store.open(digest) as blob:
        return blob.read()


def arrive(store: BlobStore, content: bytes = CONTENT, digest: Digest = WHOLE) -> None:
    with arriving(store, digest) as blob:
        blob.write(content)
        blob.commit()


def leave_part(store: BlobStore, part: bytes) -> None:
    with arriving(store) as blob:
        blob.write(part)


def test_a_blob_that_arrived_whole_is_stored(store: BlobStore) -> None:
    with arriving(store) as blob:
        assert blob.size == 0
        assert list(blob.stored()) == []
        blob.write(CONTENT[:100])
        blob.write(memoryview(CONTENT)[100:])
        assert blob.size == len(CONTENT)
        assert store.size(WHOLE) is None
        blob.commit()

    assert read(store) == CONTENT
    assert list(store.digests()) == [WHOLE]


def test_other_bytes_than_those_promised_are_not_stored(store: BlobStore) -> None:
    with pytest.raises(BlobMismatch) as mismatch:
        arrive(store, b"other")

    assert mismatch.value.expected == WHOLE
    assert mismatch.value.actual == Digest.of(b"other")
    assert list(store.digests()) == []
    with arriving(store) as blob:
        assert blob.size == 0


def test_one_may_begin_anew(store: BlobStore) -> None:
    with arriving(store) as blob:
        blob.write(b"other")
        blob.restart()
        assert blob.size == 0
        blob.write(CONTENT)
        blob.commit()

    assert read(store) == CONTENT


def test_other_algorithms_are_verified_as_well(store: BlobStore) -> None:
    digest = Digest("sha512", hashlib.sha512(CONTENT).hexdigest())

    arrive(store, CONTENT, digest)

    assert read(store, digest) == CONTENT
    with pytest.raises(BlobMismatch):
        arrive(store, b"other", Digest("sha512", hashlib.sha512(b"").hexdigest()))


def test_a_part_is_no_blob(keeping: BlobStore) -> None:
    leave_part(keeping, CONTENT[:1000])

    assert list(keeping.digests()) == []
    assert keeping.size(WHOLE) is None


def test_what_arrived_is_there_for_the_next(keeping: BlobStore) -> None:
    leave_part(keeping, CONTENT[:1_500_000])

    with arriving(keeping) as blob:
        assert blob.size == 1_500_000
        assert b"".join(blob.stored()) == CONTENT[:1_500_000]
        blob.write(CONTENT[1_500_000:])
        assert b"".join(blob.stored()) == CONTENT
        blob.commit()

    assert read(keeping) == CONTENT


def test_a_part_need_not_be_read_to_go_on(keeping: BlobStore) -> None:
    leave_part(keeping, CONTENT[:1_500_000])

    with arriving(keeping) as blob:
        blob.write(CONTENT[1_500_000:])
        blob.commit()

    assert read(keeping) == CONTENT


def test_a_part_that_was_something_else_is_found_out(keeping: BlobStore) -> None:
    leave_part(keeping, b"x" * 1000)

    with pytest.raises(BlobMismatch):
        arrive(keeping, CONTENT[1000:])
    arrive(keeping)

    assert read(keeping) == CONTENT


def test_parts_can_be_forgotten_but_not_what_somebody_is_writing(keeping: BlobStore) -> None:
    other = Digest.of(b"other")
    leave_part(keeping, CONTENT[:1000])
    with arriving(keeping, other) as blob:
        blob.write(b"ot")
        keeping.forget_incoming()
        blob.write(b"her")
        blob.commit()

    with arriving(keeping) as blob:
        assert blob.size == 0
    assert read(keeping, other) == b"other"


def test_one_at_a_time_and_who_waits_hears_how_far_it_is(keeping: BlobStore) -> None:
    heard: list[int] = []
    entered = threading.Event()
    found: list[bytes | None] = []

    def second() -> None:
        with keeping.incoming(WHOLE, heard.append):
            found.append(read(keeping) if keeping.size(WHOLE) is not None else None)

    with arriving(keeping) as blob:
        blob.write(CONTENT[:1000])
        thread = threading.Thread(target=second)
        thread.start()
        while not heard:
            assert not entered.wait(0.01)
        blob.write(CONTENT[1000:])
        blob.commit()
    thread.join()

    assert heard[0] == 1000
    assert found == [CONTENT]


def test_who_waits_may_give_up(keeping: BlobStore) -> None:
    def give_up(_size: int) -> None:
        raise LookupError

    with (
        arriving(keeping) as blob,
        pytest.raises(LookupError),
        keeping.incoming(WHOLE, give_up),
    ):
        blob.write(b"never")

    arrive(keeping)


def test_different_blobs_arrive_at_once(keeping: BlobStore) -> None:
    with arriving(keeping) as one, arriving(keeping, Digest.of(b"two")) as two:
        two.write(b"two")
        two.commit()
        one.write(CONTENT)
        one.commit()

    assert set(keeping.digests()) == {WHOLE, Digest.of(b"two")}


def test_a_damaged_blob_is_replaced(tmp_path: Path) -> None:
    store = FileBlobStore(tmp_path)
    arrive(store)
    (tmp_path / "blobs" / "sha256" / WHOLE.encoded).write_bytes(b"torn")

    arrive(store)

    assert read(store) == CONTENT


def test_nothing_is_left_beside_the_blob(tmp_path: Path) -> None:
    arrive(FileBlobStore(tmp_path))

    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [WHOLE.encoded]


def test_a_part_of_yesterday_is_swept(tmp_path: Path) -> None:
    store = FileBlobStore(tmp_path)
    leave_part(store, CONTENT[:1000])
    (part,) = (tmp_path / "incoming").iterdir()

    arrive(store, b"a", Digest.of(b"a"))
    assert part.exists()
    os.utime(part, (0, 0))
    arrive(store, b"b", Digest.of(b"b"))

    assert not part.exists()


def fetch_slowly(root: Path, fetched: Path) -> None:
    store = FileBlobStore(root)
    with arriving(store) as blob:
        if store.size(WHOLE) is not None:
            return
        with fetched.open("ab", buffering=0) as log:
            for start in range(blob.size, len(CONTENT), 100_000):
                piece = CONTENT[start : start + 100_000]
                log.write(b"x" * len(piece))
                blob.write(piece)
                time.sleep(0.002)  # a slow server, so that the others wait
        blob.commit()


def test_of_eight_processes_one_fetches(tmp_path: Path) -> None:
    fetched = tmp_path / "fetched"
    context = multiprocessing.get_context("fork")
    pulls = [
        context.Process(target=fetch_slowly, args=(tmp_path / "state", fetched)) for _ in range(8)
    ]

    for pull in pulls:
        pull.start()
    for pull in pulls:
        pull.join()

    assert [pull.exitcode for pull in pulls] == [0] * 8
    assert fetched.stat().st_size == len(CONTENT)
    assert read(FileBlobStore(tmp_path / "state")) == CONTENT


def test_a_killed_process_leaves_its_part_to_the_next(tmp_path: Path) -> None:
    fetched = tmp_path / "fetched"
    context = multiprocessing.get_context("fork")
    first = context.Process(target=fetch_slowly, args=(tmp_path / "state", fetched))
    first.start()
    wait_until(lambda: fetched.exists() and fetched.stat().st_size > 500_000, "half has arrived")
    assert first.pid is not None
    os.kill(first.pid, signal.SIGKILL)
    first.join()

    fetch_slowly(tmp_path / "state", fetched)

    assert read(FileBlobStore(tmp_path / "state")) == CONTENT
    assert fetched.stat().st_size <= len(CONTENT) + 100_000  # the piece that was on its way
