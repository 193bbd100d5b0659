"""Bytes by digest."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, Protocol, runtime_checkable

from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import ImgError, NotFoundError, StateError


class BlobNotFound(NotFoundError):
    """No blob of that digest is stored here."""

    def __init__(self, digest: Digest) -> None:
        super().__init__(f"no blob {digest} in the store", hint="pull or build the image again")
        self.digest = digest


class BlobMismatch(ImgError):
    """The bytes are not those that were promised; nothing was stored."""

    exit_code = 6

    def __init__(self, expected: Digest, actual: Digest) -> None:
        super().__init__(f"content is {actual}, not {expected} as promised")
        self.expected = expected
        self.actual = actual


class BlobDamaged(StateError):
    """A stored blob that is not what its name says, or not as long as what names it says."""

    def __init__(self, digest: Digest, size: int = 0, expected: int = 0) -> None:
        wrong = f"{size} of {expected} bytes" if size != expected else "other bytes than its name's"
        super().__init__(
            f"blob {digest} in the store is damaged: {wrong}",
            hint="pull or build the image again, or try `img fsck --repair`",
        )
        self.digest = digest


class StoreFull(StateError):
    """The disk that holds the state has no room left."""


class BlobWriter(Protocol):
    """A blob that is being written; nobody sees it before ``commit``."""

    @abstractmethod
    def write(self, data: bytes | memoryview) -> int:
        """Append ``data``. Raises StoreFull."""

    @abstractmethod
    def commit(self, expected: Digest | None = None) -> Digest:
        """Store what was written and return its sha256 digest; the writer is closed then.

        Atomic and durable: a reader, or the next process after a crash, sees all or nothing.
        Bytes that are there already stay the same, but damaged ones are whole again. Raises
        BlobMismatch, StoreFull.
        """

    @abstractmethod
    def abort(self) -> None:
        """Forget what was written. Idempotent, and harmless after ``commit``."""


class IncomingBlob(Protocol):
    """A blob that arrives from elsewhere; nobody else writes it meanwhile."""

    @property
    @abstractmethod
    def size(self) -> int:
        """How many bytes of it are here."""

    @abstractmethod
    def stored(self) -> Iterator[bytes]:
        """Yield the bytes that are here, from the first on."""

    @abstractmethod
    def write(self, data: bytes | memoryview) -> int:
        """Append ``data``. Raises StoreFull."""

    @abstractmethod
    def restart(self) -> None:
        """Forget all that is here."""

    @abstractmethod
    def check(self) -> None:
        """Make sure that what is here is the blob; else forget it and raise BlobMismatch."""

    @abstractmethod
    def commit(self) -> None:
        """Check the blob and store it, in place of a damaged one too: atomic and durable.

        Last of all calls. Raises BlobMismatch, StoreFull.
        """


Waiting = Callable[[int], None]
"""Told now and then, while another fetches a blob, how many bytes of it are here."""


class BlobStore(Protocol):
    """Immutable bytes found by their digest; several threads and processes share one store."""

    @abstractmethod
    def open(self, digest: Digest) -> BinaryIO:
        """Return the blob for reading, seekable; the caller closes it. Raises BlobNotFound.

        Who reads it from its start to its end gets BlobDamaged if it is not what its name says.
        """

    @abstractmethod
    def writer(self) -> BlobWriter:
        """Return a new, empty blob to write. Raises StoreFull."""

    @contextmanager
    def incoming(self, digest: Digest, waiting: Waiting) -> Iterator[IncomingBlob]:
        """Enter with the blob as far as it arrived; waits while another thread or process is in.

        Whoever had to wait may find it stored. What was not committed stays for the next, even
        after a crash, until ``forget_incoming``. This one is for stores that cannot keep parts:
        it begins anew each time, and nobody waits. Raises StoreFull.
        """
        with _Fresh(self, digest) as blob:
            yield blob

    def forget_incoming(self) -> None:
        """Delete the parts of blobs that nobody is fetching."""

    @abstractmethod
    def size(self, digest: Digest) -> int | None:
        """Return the blob's length in bytes, None where there is none."""

    @abstractmethod
    def digests(self) -> Iterator[Digest]:
        """Yield the digests of all blobs, in no order."""

    @abstractmethod
    def remove(self, digest: Digest) -> None:
        """Delete the blob; a blob that is not there is no error. Open readers keep reading."""


class _Fresh(IncomingBlob):
    """A blob that is gone unless it was committed."""

    def __init__(self, store: BlobStore, digest: Digest) -> None:
        self._store = store
        self._digest = digest
        self._writer = store.writer()
        self._size = 0

    def __enter__(self) -> "_Fresh":
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.abort()

    @property
    def size(self) -> int:
        return self._size

    def stored(self) -> Iterator[bytes]:
        assert not self._size, "what was written is not read again"
        return iter(())

    def write(self, data: bytes | memoryview) -> int:
        written = self._writer.write(data)
        self._size += written
        return written

    def restart(self) -> None:
        self._writer.abort()
        self._writer = self._store.writer()
        self._size = 0

    def check(self) -> None:
        """Do nothing: it cannot be told before ``commit``."""

    def commit(self) -> None:
        self._writer.commit(self._digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobFacts:
    """The bytes that a blob takes on disk, since when, and whether it is ours to delete."""

    room: int
    stored: float = 0.0  # seconds since 1970
    ours: bool = True


@runtime_checkable
class BlobTrash(Protocol):
    """Deletion of blobs in two steps, so that a running command never loses a blob it has found.

    A blob that is marked for deletion is no longer among the store's digests, but can be opened; a
    request for its size, or storing it again, restores it. It is deleted when all commands that
    could have found it before have ended.
    """

    @abstractmethod
    def facts(self, digest: Digest) -> BlobFacts | None:
        """Return the facts of the blob, marked for deletion or not; None if there is none."""

    @abstractmethod
    def mark_for_deletion(self, digest: Digest, generation: int) -> None:
        """Mark the blob for deletion in the collection ``generation``, if img owns it."""

    @abstractmethod
    def marked_for_deletion(self) -> Iterator[tuple[int, Digest]]:
        """Yield the marked blobs with their generations, in no order."""

    @abstractmethod
    def sweep(self, generation: int) -> None:
        """Delete the blobs that were marked in that collection and not restored."""

    @abstractmethod
    def claim(self, digests: Iterable[Digest]) -> None:
        """Own blobs that other programs may have stored, so that they may be deleted."""
