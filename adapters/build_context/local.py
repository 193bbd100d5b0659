"""Contexts on this machine."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from img.adapters.build_context.directory import DirectoryContext
from img.adapters.build_context.tarball import TarContext
from img.adapters.linux.regular_files import LinkLeadsOut, read_at_most, read_inside
from img.application.ports.build_context import (
    DOCKERFILES,
    LARGEST_DOCKERFILE,
    BuildContext,
    ContextSource,
    DockerfileText,
)
from img.application.ports.file_digest_store import FileDigestStore
from img.application.ports.layer_archive import LayerArchive
from img.application.ports.scratch_space import ScratchSpace
from img.domain.dataclass import dataclass
from img.domain.dockerfile.ignore import IgnoreMatcher
from img.domain.errors import ContextError

_STDIN = "-"
IGNORE_FILE = ".dockerignore"
_TOO_LARGE = f"larger than {LARGEST_DOCKERFILE} bytes"
_LINKED = {  # the remedy, by the kind of file
    "Dockerfile": "name the file itself with -f, or put a copy of it into the context",
    IGNORE_FILE: "put a copy of the file into the context",
}
# A path of `-f <(command)` is a pipe, and in no directory.
_OWN_DESCRIPTOR = r"/dev/stdin|(?:/dev|/proc/self)/fd/\d{1,9}"


@dataclass(frozen=True, slots=True)
class _Place:
    """A Dockerfile: its path below a directory, which links may not leave."""

    directory: str
    path: str

    def __str__(self) -> str:
        return os.path.join(self.directory, self.path)

    @property
    def ignore(self) -> "_Place":
        """Return the ignore file beside it."""
        return _Place(self.directory, f"{self.path}.dockerignore")


class LocalContexts(ContextSource):
    """Opens directories, archives and Dockerfiles."""

    def __init__(
        self, known: FileDigestStore, archive: LayerArchive, scratch: ScratchSpace
    ) -> None:
        self._known = known
        self._archive = archive
        self._scratch = scratch

    def is_directory(self, location: str) -> bool:
        return os.path.isdir(location)

    def dockerfile(self, location: str, file: str | None) -> DockerfileText:
        root = self._directory(location)
        shared = _Place(location, IGNORE_FILE)
        if file == _STDIN:
            return DockerfileText(name="-", content=self._input(), ignore=_ignore(shared))
        if file is not None and re.fullmatch(_OWN_DESCRIPTOR, file):
            return DockerfileText(
                name=os.path.basename(file), content=_read_descriptor(file), ignore=_ignore(shared)
            )
        place = _default(location) if file is None else _place(root, file)
        return DockerfileText(
            name=os.path.basename(place.path),
            content=_read(place, str(place) if file is None else file),
            ignore=_ignore(place.ignore, shared),
            path=os.path.realpath(str(place)),
        )

    def ignore_file(self, location: str) -> str | None:
        return _ignore(_Place(self._directory(location), IGNORE_FILE))

    def open(self, location: str, ignore: tuple[str, ...]) -> BuildContext:
        return DirectoryContext(
            Path(self._directory(location)),
            known=self._known,
            ignore=IgnoreMatcher(ignore) if ignore else None,
            name=location,
            lasts=True,
        )

    def open_archive(self, content: BinaryIO) -> BuildContext | None:
        return TarContext.of(content, self._archive, self._scratch)

    def standard_input(self) -> BinaryIO:
        return sys.stdin.buffer

    def read(self, path: str) -> bytes:
        if re.fullmatch(_OWN_DESCRIPTOR, path):
            return _read_descriptor(path)
        return _read(_outside(path), path)

    def _input(self) -> bytes:
        content = self.standard_input().read(LARGEST_DOCKERFILE + 1)
        if len(content) > LARGEST_DOCKERFILE:
            raise _not_opened("Dockerfile", "-", _TOO_LARGE)
        return content

    def _directory(self, location: str) -> str:
        if not os.path.isdir(location):
            what = "is not a directory" if os.path.exists(location) else "not found"
            raise ContextError(f'unable to prepare context: path "{location}" {what}')
        return location


def _place(root: str, file: str) -> _Place:
    """Return the place of the Dockerfile that ``-f`` names.

    A Dockerfile in the context is a path below the context's directory. For one elsewhere the path
    of the directory is trusted, but not the links of the file itself.
    """
    path = os.path.abspath(file)
    for ancestor in reversed(Path(path).parents):
        if _is_same(str(ancestor), root):
            return _Place(root, os.path.relpath(path, ancestor))
    return _outside(path)


def _outside(file: str) -> _Place:
    directory, name = os.path.split(os.path.abspath(file))
    return _Place(directory, name)


def _is_same(path: str, other: str) -> bool:
    try:
        return os.path.samefile(path, other)
    except OSError:
        return False


def _default(root: str) -> _Place:
    for name in DOCKERFILES:
        if os.path.lexists(os.path.join(root, name)):
            return _Place(root, name)
    return _Place(root, DOCKERFILES[0])


def _ignore(*candidates: _Place) -> str | None:
    for place in candidates:
        if os.path.lexists(str(place)):
            with _opening(IGNORE_FILE, str(place)):
                return _content(place).decode("utf-8", "surrogateescape")
    return None


def _read(place: _Place, shown: str) -> bytes:
    with _opening("Dockerfile", shown):
        try:
            return _content(place)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ContextError(
                f"failed to read dockerfile: open {shown}: {_reason(error)}",
                hint="name it with -f",
            ) from None


def _content(place: _Place) -> bytes:
    directory = os.open(place.directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return read_inside(directory, place.path, LARGEST_DOCKERFILE)
    finally:
        os.close(directory)


def _read_descriptor(path: str) -> bytes:
    """Return the content of a pipe or file that the user opened for this process."""
    with _opening("Dockerfile", path):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return read_at_most(descriptor, LARGEST_DOCKERFILE)
        finally:
            os.close(descriptor)


@contextmanager
def _opening(kind: str, shown: str) -> Iterator[None]:
    """Raise ContextError with one line for errors of reading a Dockerfile or ignore file."""
    try:
        yield
    except LinkLeadsOut as error:
        problem = f"it is a link to {error.link}, out of its directory"
        raise _not_opened(kind, shown, problem, _LINKED[kind]) from None
    except OSError as error:
        raise _not_opened(kind, shown, _reason(error)) from None


def _not_opened(kind: str, shown: str, problem: str, hint: str | None = None) -> ContextError:
    return ContextError(f"unable to open {kind} {shown}: {problem}", hint=hint)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
