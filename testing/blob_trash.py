"""Contract suite of deletion from blob stores."""

from img.application.ports.blob_store import BlobStore, BlobTrash
from img.domain.digest import Digest

Made = tuple[BlobStore, BlobTrash]
"""A store, and its trash."""


def add(store: BlobStore, content: bytes = b"content") -> Digest:
    writer = store.writer()
    writer.write(content)
    return writer.commit()


def read(store: BlobStore, digest: Digest) -> bytes:
    with store.open(digest) as blob:
        return blob.read()


class BlobTrashContract:
    """Promises of every BlobTrash.

    Fixtures: ``made``, an empty store and its trash, which may be one object.
    """

    def test_what_is_condemned_can_be_read_until_it_expires(self, made: Made) -> None:
        store, trash = made
        digest = add(store)

        trash.condemn(digest, 7)
        assert read(store, digest) == b"content"
        assert list(trash.condemned()) == [(7, digest)]
        trash.expire(7)

        assert store.size(digest) is None
        assert not list(store.digests())
        assert not list(trash.condemned())

    def test_only_one_generation_expires(self, made: Made) -> None:
        store, trash = made
        old, new = add(store, b"old"), add(store, b"new")
        trash.condemn(old, 1)
        trash.condemn(new, 2)

        trash.expire(1)
        trash.expire(1)

        assert list(trash.condemned()) == [(2, new)]
        assert read(store, new) == b"new"

    def test_what_is_not_there_can_be_condemned(self, made: Made) -> None:
        store, trash = made
        trash.condemn(Digest.of(b"absent"), 1)
        trash.expire(1)

        assert store.size(Digest.of(b"absent")) is None

    def test_facts_are_known_of_what_is_condemned_too(self, made: Made) -> None:
        store, trash = made
        digest = add(store)
        before = trash.facts(digest)

        trash.condemn(digest, 1)

        assert before is not None and before.room >= 7 and before.ours
        assert trash.facts(digest) == before
        assert trash.facts(Digest.of(b"absent")) is None
