"""Blobs that are on their way out."""

import contextlib
import os
from collections.abc import Iterator

from img.adapters.storage.atomic_file import make_durable_directories
from img.domain.digest import Digest, InvalidDigest


class Trash:
    """``directory/<generation>/<algorithm>-<hex>``, on the same file system as the blobs.

    Methods raise OSError.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def put(self, path: str, digest: Digest, generation: int) -> None:
        """Move the file at ``path`` in; one that is not there is no error."""
        make_durable_directories(f"{self._directory}/{generation}")
        with contextlib.suppress(FileNotFoundError):
            os.rename(path, f"{self._directory}/{generation}/{_name(digest)}")

    def find(self, digest: Digest) -> str | None:
        """Return where the blob is, None where it is not."""
        for generation in self.generations():
            path = f"{self._directory}/{generation}/{_name(digest)}"
            if os.path.exists(path):
                return path
        return None

    def generations(self) -> list[int]:
        """Return the collections that have put something in."""
        try:
            return [int(name) for name in os.listdir(self._directory) if name.isdecimal()]
        except (FileNotFoundError, PermissionError):  # of another user, who shares blobs alone
            return []

    def digests(self, generation: int) -> Iterator[Digest]:
        """Yield the blobs of a collection."""
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(f"{self._directory}/{generation}"):
                algorithm, _, encoded = name.partition("-")
                with contextlib.suppress(InvalidDigest):
                    yield Digest.parse(f"{algorithm}:{encoded}")

    def empty(self, generation: int) -> None:
        """Delete what a collection has put in."""
        directory = f"{self._directory}/{generation}"
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(directory):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(f"{directory}/{name}")
            os.rmdir(directory)


def _name(digest: Digest) -> str:
    return f"{digest.algorithm}-{digest.encoded}"
