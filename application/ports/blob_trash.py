"""Blobs that are to go."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from typing import Protocol, runtime_checkable

from img.application.ports.blob_store import BlobStore
from img.application.ports.state_lock import StateLock
from img.domain.dataclass import dataclass
from img.domain.digest import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobFacts:
    """The bytes that a blob takes on disk, since when, and whether it is ours to delete."""

    room: int
    stored: float = 0.0  # seconds since 1970
    ours: bool = True


@runtime_checkable
class BlobTrash(Protocol):
    """Lets blobs go in two steps, so that nobody loses what he has found before.

    What is condemned is no longer among the store's digests, but can be opened; who asks for its
    size, or stores it again, brings it back. It is deleted when all who could have found it before
    have ended.
    """

    @abstractmethod
    def facts(self, digest: Digest) -> BlobFacts | None:
        """Return what is known of the blob, condemned or not; None where there is none."""

    @abstractmethod
    def condemn(self, digest: Digest, generation: int) -> None:
        """Condemn the blob in the collection ``generation``, if it is ours."""

    @abstractmethod
    def condemned(self) -> Iterator[tuple[int, Digest]]:
        """Yield what is condemned, with its generation, in no order."""

    @abstractmethod
    def expire(self, generation: int) -> None:
        """Delete what was condemned in that collection and not brought back."""

    @abstractmethod
    def adopt(self, digests: Iterable[Digest]) -> None:
        """Take blobs for our own that others may have put into the store."""


class DirectTrash(BlobTrash):
    """The trash of a store that has none: what is condemned goes if nobody works, else it stays."""

    def __init__(self, blobs: BlobStore, lock: StateLock) -> None:
        self._blobs = blobs
        self._lock = lock
        self._condemned: list[tuple[int, Digest]] = []

    def facts(self, digest: Digest) -> BlobFacts | None:
        size = self._blobs.size(digest)
        return None if size is None else BlobFacts(room=size)

    def condemn(self, digest: Digest, generation: int) -> None:
        self._condemned.append((generation, digest))

    def condemned(self) -> Iterator[tuple[int, Digest]]:
        yield from list(self._condemned)

    def expire(self, generation: int) -> None:
        with self._lock.alone() as alone:
            for number, digest in self._condemned:
                if alone and number == generation:
                    self._blobs.remove(digest)
        self._condemned = [each for each in self._condemned if each[0] != generation]

    def adopt(self, digests: Iterable[Digest]) -> None:
        pass  # all of it is ours
