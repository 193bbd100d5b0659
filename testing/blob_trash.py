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

    def test_what_is_marked_for_deletion_can_be_read_until_it_is_swept(self, made: Made) -> None:
        store, trash = made
        digest = add(store)

        trash.mark_for_deletion(digest, 7)
        assert read(store, digest) == b"content"
        assert list(trash.marked_for_deletion()) == [(7, digest)]
        trash.sweep(7)

        assert store.size(digest) is None
        assert not list(store.digests())
        assert not list(trash.marked_for_deletion())

    def test_only_one_generation_expires(self, made: Made) -> None:
        store, trash = made
        old, new = add(store, b"old"), add(store, b"new")
        trash.mark_for_deletion(old, 1)
        trash.mark_for_deletion(new, 2)

        trash.sweep(1)
        trash.sweep(1)

        assert list(trash.marked_for_deletion()) == [(2, new)]
        assert read(store, new) == b"new"

    def test_what_is_not_there_can_be_marked_for_deletion(self, made: Made) -> None:
        store, trash = made
        trash.mark_for_deletion(Digest.of(b"absent"), 1)
        trash.sweep(1)

        assert store.size(Digest.of(b"absent")) is None

    def test_facts_are_known_of_what_is_marked_for_deletion(self, made: Made) -> None:
        store, trash = made
        digest = add(store)
        before = trash.facts(digest)

        trash.mark_for_deletion(digest, 1)

        assert before is not None and before.room >= 7 and before.ours
        assert trash.facts(digest) == before
        assert trash.facts(Digest.of(b"absent")) is None
