"""Output in memory."""

import errno
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from img.adapters.output_files.failures import STANDARD_OUTPUT, named
from img.application.ports.output_files import OutputFiles


class MemoryOutputFiles(OutputFiles):
    """Regular files by absolute path, and the directories that there are.

    A directory is filled on disk, in a temporary place, since adapters write files by their paths.
    Other kinds of files in it are not kept.
    """

    def __init__(self, standard_output: BinaryIO | None = None) -> None:
        self.standard_output = standard_output or io.BytesIO()
        self.files: dict[str, bytes] = {}
        self.directories: set[str] = {"/"}

    def check_file(self, path: str) -> None:
        if path == STANDARD_OUTPUT:
            return
        with named(path):
            if path in self.directories:
                raise _os_error(errno.EISDIR)
            self._require_directory(os.path.dirname(path))

    def check_directory(self, path: str) -> None:
        with named(path):
            for parent in _upwards(path):
                if parent in self.files:
                    raise _os_error(errno.ENOTDIR)

    @contextmanager
    def file(self, path: str) -> Iterator[BinaryIO]:
        with named(path):
            if path == STANDARD_OUTPUT:
                yield self.standard_output
                return
            self.check_file(path)
            draft = io.BytesIO()
            yield draft
            self.files[path] = draft.getvalue()

    @contextmanager
    def directory(
        self, path: str, *, delete: bool = False, same_kinds: bool = False
    ) -> Iterator[str]:
        import tempfile

        with named(path):
            self.check_directory(path)
            with tempfile.TemporaryDirectory(prefix="img-output-") as draft:
                yield draft
                if same_kinds:
                    self._check_kinds(draft, path)
                if delete:
                    self._remove_below(path)
                self._join(draft, path)

    def _require_directory(self, path: str) -> None:
        if path in self.files:
            raise _os_error(errno.ENOTDIR)
        if path not in self.directories:
            raise _os_error(errno.ENOENT)

    def _remove_below(self, path: str) -> None:
        below = f"{path}/"
        self.files = {name: c for name, c in self.files.items() if not name.startswith(below)}
        self.directories = {name for name in self.directories if not name.startswith(below)}

    def _check_kinds(self, draft: str, path: str) -> None:
        for found in Path(draft).rglob("*"):
            name = f"{path}/{found.relative_to(draft)}"
            is_directory = found.is_dir() and not found.is_symlink()
            if name in (self.files if is_directory else self.directories):
                raise _os_error(errno.ENOTDIR if is_directory else errno.EISDIR)

    def _join(self, draft: str, path: str) -> None:
        self.directories.update(_upwards(path))
        for found in sorted(Path(draft).rglob("*")):
            name = f"{path}/{found.relative_to(draft)}"
            if found.is_dir() and not found.is_symlink():
                self.files.pop(name, None)
                self.directories.add(name)
                continue
            self._remove_below(name)
            self.directories.discard(name)
            self.files.pop(name, None)
            if found.is_file() and not found.is_symlink():
                self.files[name] = found.read_bytes()


def _upwards(path: str) -> Iterator[str]:
    """Yield ``path`` and the directories above it, to the root or the working directory."""
    while path not in ("/", ""):
        yield path
        path = os.path.dirname(path)
    yield path


def _os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))
