"""Repositories that blobs can be fetched from."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from img.domain.digest import Digest


class BlobOrigins(Protocol):
    """The repositories that had a blob when img last saw them.

    A registry may have deleted the blob since. Losing a record costs time only. Several threads
    and processes may use it.
    """

    @abstractmethod
    def repositories(self, digest: Digest) -> Sequence[str]:
        """Return the repositories (``registry/path``) of the blob, the last added first."""

    @abstractmethod
    def add(self, repository: str, digests: Iterable[Digest]) -> None:
        """Record that ``repository`` has the blobs; known ones cause no write."""

    @abstractmethod
    def forget(self, repository: str, digest: Digest) -> None:
        """Delete the record that ``repository`` has the blob, if there is one."""

    @abstractmethod
    def digests(self) -> Iterator[Digest]:
        """Yield the blobs with a known repository in any order."""

    @abstractmethod
    def remove(self, digests: Iterable[Digest]) -> None:
        """Delete all records of the blobs, if there are any."""
