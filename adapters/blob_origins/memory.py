"""Origins in a dict."""

from collections.abc import Iterable, Iterator, Sequence
from threading import Lock

from img.application.ports.blob_origins import BlobOrigins
from img.domain.digest import Digest


class MemoryBlobOrigins(BlobOrigins):
    """Origins that are lost with the process."""

    def __init__(self) -> None:
        self._repositories: dict[Digest, dict[str, None]] = {}  # oldest first
        self._lock = Lock()

    def repositories(self, digest: Digest) -> Sequence[str]:
        with self._lock:
            return list(reversed(self._repositories.get(digest, {})))

    def add(self, repository: str, digests: Iterable[Digest]) -> None:
        with self._lock:
            for digest in digests:
                self._repositories.setdefault(digest, {}).setdefault(repository)

    def forget(self, repository: str, digest: Digest) -> None:
        with self._lock:
            known = self._repositories.get(digest, {})
            known.pop(repository, None)
            if not known:
                self._repositories.pop(digest, None)

    def digests(self) -> Iterator[Digest]:
        with self._lock:
            found = list(self._repositories)
        yield from found

    def remove(self, digests: Iterable[Digest]) -> None:
        with self._lock:
            for digest in digests:
                self._repositories.pop(digest, None)
