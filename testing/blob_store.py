"""Contract suite of blob stores."""

import hashlib
import os
import threading

import pytest

from img.application.ports.blob_store import (
    BlobMismatch,
    BlobNotFound,
    BlobStore,
)
from img.domain.digest import Digest


def add(store: BlobStore, content: bytes, expected: Digest | None = None) -> Digest:
    writer = store.writer()
    writer.write(content)
    return writer.commit(expected)


def read(store: BlobStore, digest: Digest) -> bytes:
    with store.open(digest) as blob:
        return blob.read()


class BlobStoreContract:
    """Promises of every BlobStore.

    Fixtures: ``store``, an empty store.
    """

    def test_a_committed_blob_can_be_read_by_its_digest(self, store: BlobStore) -> None:
        digest = add(store, b"content")

        assert digest == Digest.of(b"content")
        assert read(store, digest) == b"content"
        assert store.size(digest) == 7

    def test_a_blob_is_made_of_all_that_was_written(self, store: BlobStore) -> None:
        writer = store.writer()

        assert [writer.write(b"a"), writer.write(memoryview(b"bc")), writer.write(b"")] == [1, 2, 0]

        assert read(store, writer.commit()) == b"abc"

    def test_a_reader_can_seek(self, store: BlobStore) -> None:
        with store.open(add(store, b"0123456789")) as blob:
            assert blob.seekable()
            blob.seek(4)
            assert blob.read(2) == b"45"

    def test_the_empty_blob_is_a_blob(self, store: BlobStore) -> None:
        digest = add(store, b"")

        assert store.size(digest) == 0
        assert read(store, digest) == b""

    def test_a_large_blob_comes_back_as_it_was(self, store: BlobStore) -> None:
        content = os.urandom(5 << 20)

        assert read(store, add(store, content, Digest.of(content))) == content

    def test_what_is_not_there_is_not_found(self, store: BlobStore) -> None:
        absent = Digest.of(b"absent")

        assert store.size(absent) is None
        assert list(store.digests()) == []
        with pytest.raises(BlobNotFound) as missing:
            store.open(absent)
        assert missing.value.digest == absent

    def test_nobody_sees_a_blob_before_it_is_committed(self, store: BlobStore) -> None:
        writer = store.writer()
        writer.write(b"content")

        assert list(store.digests()) == []
        assert store.size(Digest.of(b"content")) is None
        writer.abort()
        assert list(store.digests()) == []

    def test_abort_may_be_called_at_any_time_and_again(self, store: BlobStore) -> None:
        writer = store.writer()
        writer.abort()
        writer.abort()
        writer = store.writer()
        digest = writer.commit()
        writer.abort()

        assert list(store.digests()) == [digest]

    def test_bytes_that_were_not_promised_are_not_stored(self, store: BlobStore) -> None:
        with pytest.raises(BlobMismatch) as mismatch:
            add(store, b"other", Digest.of(b"content"))

        assert mismatch.value.expected == Digest.of(b"content")
        assert mismatch.value.actual == Digest.of(b"other")
        assert list(store.digests()) == []

    def test_the_same_bytes_may_come_again(self, store: BlobStore) -> None:
        digest = add(store, b"content")

        with store.open(digest) as reader:
            assert add(store, b"content", digest) == digest
            assert reader.read() == b"content"
        assert list(store.digests()) == [digest]

    def test_a_promise_in_sha512_is_kept_in_sha512(self, store: BlobStore) -> None:
        expected = Digest("sha512", hashlib.sha512(b"content").hexdigest())

        assert add(store, b"content", expected) == expected
        assert read(store, expected) == b"content"
        assert list(store.digests()) == [expected]
        with pytest.raises(BlobMismatch):
            add(store, b"other", expected)

    def test_all_blobs_are_listed(self, store: BlobStore) -> None:
        assert {add(store, b"a"), add(store, b"b")} == set(store.digests())

    def test_a_removed_blob_is_gone_and_may_be_removed_again(self, store: BlobStore) -> None:
        digest = add(store, b"content")

        with store.open(digest) as reader:
            store.remove(digest)
            store.remove(digest)
            assert reader.read() == b"content"

        assert store.size(digest) is None
        assert list(store.digests()) == []
        assert add(store, b"content") == digest

    def test_a_whole_blob_may_be_read_twice(self, store: BlobStore) -> None:
        digest = add(store, b"content")

        with store.open(digest) as blob:
            assert blob.read(3) + blob.read() == b"content"
            blob.seek(0)
            assert blob.read() == b"content"

    def test_threads_may_write_at_once(self, store: BlobStore) -> None:
        contents = [b"%d" % (i % 10) * 1000 for i in range(40)]
        threads = [threading.Thread(target=add, args=(store, content)) for content in contents]

        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert set(store.digests()) == {Digest.of(content) for content in contents}
