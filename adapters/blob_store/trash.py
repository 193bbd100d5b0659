"""Blobs that are marked for deletion."""

import contextlib
import os
from collections.abc import Iterator

from img.adapters.storage.atomic_file import make_durable_directories
from img.domain.digest import Digest, InvalidDigest


class Trash:
    """Files ``directory/<generation>/<algorithm>-<hex>``, on the same file system as the blobs.

    Methods raise OSError.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def put(self, path: str, digest: Digest, generation: int) -> None:
        """Move the file at ``path`` into the trash; a missing file is no error."""
        make_durable_directories(f"{self._directory}/{generation}")
        with contextlib.suppress(FileNotFoundError):
            os.rename(path, f"{self._directory}/{generation}/{_name(digest)}")

    def find(self, digest: Digest) -> str | None:
        """Return the path of the blob, None if it is not in the trash."""
        for generation in self.generations():
            path = f"{self._directory}/{generation}/{_name(digest)}"
            if os.path.exists(path):
                return path
        return None

    def generations(self) -> list[int]:
        """Return the collections that have marked blobs."""
        try:
            return [int(name) for name in os.listdir(self._directory) if name.isdecimal()]
        except (FileNotFoundError, PermissionError):  # another user shares only the blobs
            return []

    def digests(self, generation: int) -> Iterator[Digest]:
        """Yield the blobs that a collection has marked."""
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(f"{self._directory}/{generation}"):
                algorithm, _, encoded = name.partition("-")
                with contextlib.suppress(InvalidDigest):
                    yield Digest.parse(f"{algorithm}:{encoded}")

    def empty(self, generation: int) -> None:
        """Delete the blobs that a collection has marked."""
        directory = f"{self._directory}/{generation}"
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(directory):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(f"{directory}/{name}")
            os.rmdir(directory)


def _name(digest: Digest) -> str:
    return f"{digest.algorithm}-{digest.encoded}"
