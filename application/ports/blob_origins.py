"""Where blobs can be had."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from img.domain.digest import Digest


class BlobOrigins(Protocol):
    """The repositories that are known to hold a blob; safe for several threads and processes.

    It is a memory, no promise: a registry may have deleted the blob since. Losing it costs time.
    """

    @abstractmethod
    def repositories(self, digest: Digest) -> Sequence[str]:
        """Return the repositories (``registry/path``) of the blob, the one learned last first."""

    @abstractmethod
    def add(self, repository: str, digests: Iterable[Digest]) -> None:
        """Remember that ``repository`` holds the blobs; what is known already writes nothing."""

    @abstractmethod
    def forget(self, repository: str, digest: Digest) -> None:
        """Forget that ``repository`` holds the blob; what is not known is no error."""

    @abstractmethod
    def digests(self) -> Iterator[Digest]:
        """Yield the blobs of which a repository is known, in no order."""

    @abstractmethod
    def remove(self, digests: Iterable[Digest]) -> None:
        """Forget all repositories of the blobs; those that are not known are no error."""
