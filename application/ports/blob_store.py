"""Storage of blobs by digest."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, Protocol, runtime_checkable

from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import ImgError, NotFoundError, StateError
from img.domain.oci.descriptor import Descriptor


class BlobNotFound(NotFoundError):
    """The store has no blob with that digest."""

    def __init__(self, digest: Digest) -> None:
        super().__init__(f"no blob {digest} in the store", hint="pull or build the image again")
        self.digest = digest


class BlobMismatch(ImgError):
    """The bytes do not have the expected digest; nothing was stored."""

    exit_code = 6

    def __init__(self, expected: Digest, actual: Digest) -> None:
        super().__init__(f"content is {actual}, not {expected} as promised")
        self.expected = expected
        self.actual = actual


class BlobDamaged(StateError):
    """A stored blob does not have the digest of its name, or the size in its descriptor."""

    def __init__(self, digest: Digest, size: int = 0, expected: int = 0) -> None:
        wrong = f"{size} of {expected} bytes" if size != expected else "other bytes than its name's"
        super().__init__(
            f"blob {digest} in the store is damaged: {wrong}",
            hint="pull or build the image again, or try `img fsck --repair`",
        )
        self.digest = digest


class StoreFull(StateError):
    """The file system of the state directory is full."""


class BlobWriter(Protocol):
    """A new blob, used by one thread; the store does not show it before ``commit``."""

    @abstractmethod
    def write(self, data: bytes | memoryview) -> int:
        """Append ``data``. Raises StoreFull."""

    @abstractmethod
    def commit(self, expected: Digest | None = None) -> Digest:
        """Store the written bytes, close the writer, and return their sha256 digest.

        Atomic and durable: a reader, or a process after a crash, finds the whole blob or none.
        An existing blob stays unless it is damaged; then it is replaced. Raises BlobMismatch if
        the digest is not ``expected``, StoreFull.
        """

    @abstractmethod
    def abort(self) -> None:
        """Delete the written bytes. Idempotent; no effect after ``commit``."""


class IncomingBlob(Protocol):
    """A blob that is being fetched; no other thread or process can write it."""

    @property
    @abstractmethod
    def size(self) -> int:
        """The number of bytes that are stored."""

    @abstractmethod
    def stored(self) -> Iterator[bytes]:
        """Yield the stored bytes from the start."""

    @abstractmethod
    def write(self, data: bytes | memoryview) -> int:
        """Append ``data``. Raises StoreFull."""

    @abstractmethod
    def restart(self) -> None:
        """Delete the stored bytes."""

    @abstractmethod
    def check(self) -> None:
        """Verify the stored bytes; delete them if they are not the blob. Raises BlobMismatch."""

    @abstractmethod
    def commit(self) -> None:
        """Verify the blob and add it to the store; a damaged one is replaced.

        Atomic and durable. No other method may be called afterwards. Raises BlobMismatch,
        StoreFull.
        """


Waiting = Callable[[int], None]
"""Called repeatedly while another thread or process fetches a blob: (bytes so far)."""


class BlobStore(Protocol):
    """Immutable bytes by their digest.

    Several threads and processes may use one store at the same time.
    """

    @abstractmethod
    def open(self, digest: Digest) -> BinaryIO:
        """Return the blob for reading, seekable; the caller closes it. Raises BlobNotFound.

        Reading it from start to end raises BlobDamaged if its digest is not ``digest``.
        """

    @abstractmethod
    def writer(self) -> BlobWriter:
        """Return a writer for a new blob. Raises StoreFull."""

    @contextmanager
    def incoming(self, digest: Digest, waiting: Waiting) -> Iterator[IncomingBlob]:
        """Enter with the part of the blob that was fetched before, to fetch the rest.

        Wait while another thread or process is fetching the blob; it may be stored afterwards.
        Bytes without ``commit`` are kept for the next call, even after a crash, until
        ``forget_incoming``. This default implementation keeps no parts: each call starts with an
        empty blob, and none waits. Raises StoreFull.
        """
        with _Fresh(self, digest) as blob:
            yield blob

    def forget_incoming(self) -> None:
        """Delete partly fetched blobs, except those that are being fetched."""

    @abstractmethod
    def size(self, digest: Digest) -> int | None:
        """Return the size of the blob in bytes, None if it is not stored."""

    @abstractmethod
    def digests(self) -> Iterator[Digest]:
        """Yield the digests of all blobs in any order."""

    @abstractmethod
    def remove(self, digest: Digest) -> None:
        """Delete the blob if it is stored. Open readers can read on."""


def store_document(blobs: BlobStore, content: bytes, media_type: str) -> Descriptor:
    """Store ``content``, unless it is there, and return its descriptor. Raises StoreFull."""
    digest = Digest.of(content)
    if blobs.size(digest) is None:
        writer = blobs.writer()
        try:
            writer.write(content)
            writer.commit(digest)
        finally:
            writer.abort()
    return Descriptor(media_type=media_type, digest=digest, size=len(content))


class _Fresh(IncomingBlob):
    """An incoming blob of a store that keeps no parts."""

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
        """Do nothing: ``commit`` verifies the digest."""

    def commit(self) -> None:
        self._writer.commit(self._digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobFacts:
    """The disk usage of a blob in bytes, its age, and whether img may delete it."""

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
