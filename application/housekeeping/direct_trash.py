"""Deletion for blob stores without a trash."""

from collections.abc import Iterable, Iterator

from img.application.ports.blob_store import BlobFacts, BlobStore, BlobTrash
from img.application.ports.state_lock import StateLock
from img.domain.digest import Digest


class DirectTrash(BlobTrash):
    """A trash that deletes marked blobs at once if no other process uses the state.

    Blobs that are marked while another process uses it stay in the store.
    """

    def __init__(self, blobs: BlobStore, lock: StateLock) -> None:
        self._blobs = blobs
        self._lock = lock
        self._marked: list[tuple[int, Digest]] = []

    def facts(self, digest: Digest) -> BlobFacts | None:
        size = self._blobs.size(digest)
        return None if size is None else BlobFacts(room=size)

    def mark_for_deletion(self, digest: Digest, generation: int) -> None:
        self._marked.append((generation, digest))

    def marked_for_deletion(self) -> Iterator[tuple[int, Digest]]:
        yield from list(self._marked)

    def sweep(self, generation: int) -> None:
        with self._lock.alone() as alone:
            for number, digest in self._marked:
                if alone and number == generation:
                    self._blobs.remove(digest)
        self._marked = [each for each in self._marked if each[0] != generation]

    def claim(self, digests: Iterable[Digest]) -> None:
        pass  # img owns all blobs
