"""Directories of RUN --mount=type=cache, which are kept between builds."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from img.application.ports.layer_archive import PackedEntry
from img.domain.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptDirectory:
    """Disk usage and last use of a kept directory."""

    id: str
    name: str  # the ID in the Dockerfile, "" if it is not known
    size: int  # bytes on disk
    used: float  # when it was last used, in seconds since 1970
    in_use: bool


class CacheMounts(Protocol):
    """Cache directories by name; several threads and processes may use them at the same time.

    A use ends with its process, also when it crashes.
    """

    @abstractmethod
    def use(
        self,
        name: str,
        *,
        sharing: str,
        mode: int,
        owner: tuple[int, int],
        fill: Callable[[str], None],
    ) -> AbstractContextManager[str]:
        """Enter with the path of the directory of ``name``.

        It is made with ``mode`` for uid and gid ``owner``; ``fill`` is called once with the path of
        a new directory, before other steps use it. If it fails, the next use begins with an empty
        directory again.

        ``sharing``: with "shared" other steps may use it at the same time, "locked" waits until no
        step uses it, "private" uses another directory if it is in use (Dockerfile reference,
        "RUN --mount=type=cache"). Raises StoreFull, the errors of ``fill``; StepCanceled if the
        thread is cancelled while it waits.
        """

    @abstractmethod
    def files(self, name: str) -> AbstractContextManager[Iterator[PackedEntry]]:
        """Enter with the files in the directory of ``name``, parents first; none if it is missing.

        Steps with "locked" wait meanwhile; steps with "shared" may change the files.
        """

    @abstractmethod
    def kept(self, *, measured: bool = True) -> Sequence[KeptDirectory]:
        """Return all directories; without ``measured``, sizes may be an hour old."""

    @abstractmethod
    def remove(self, id_: str) -> bool:
        """Delete a directory by its ``id``; False if it is in use or not there."""
