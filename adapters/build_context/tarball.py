"""Build contexts from tar archives."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from io import SEEK_CUR, SEEK_END, SEEK_SET, RawIOBase
from threading import Lock
from typing import BinaryIO, cast

from img.adapters.linux.buffers import CHUNK
from img.application.ports.build_context import LARGEST_DOCKERFILE, BuildContext, FileTooLarge
from img.application.ports.layer_archive import InvalidLayer, LayerArchive
from img.application.ports.scratch_space import ScratchSpace
from img.domain.dataclass import dataclass
from img.domain.errors import ContextError
from img.domain.filesystem.entry import FILE, SOCKET, Entry
from img.domain.filesystem.file_index import FileIndex
from img.domain.filesystem.tree import DanglingHardLink, FileTree


class TarContext(BuildContext):
    """The files of an archive, unpacked one after another into one nameless file.

    Owners are the archive's. As with tar, later entries replace earlier ones, and links among the
    parents of a name are followed, inside of the context.
    """

    def __init__(self, tree: FileTree, contents: "_Contents") -> None:
        self._tree = tree
        self._contents = contents

    @classmethod
    def of(
        cls, content: BinaryIO, archive: LayerArchive, scratch: ScratchSpace
    ) -> "TarContext | None":
        """Return the context in the archive ``content``, None if it is no archive.

        Raises ContextError.
        """
        try:
            members = archive.foreign(content)
            if members is None:
                return None
            contents = _Contents(scratch.new())
            index = FileIndex.of(_kept(members, contents))
            return cls(FileTree.of_archive(index), contents)
        except (InvalidLayer, DanglingHardLink) as error:
            raise ContextError(f"the build context is a damaged archive: {error.message}") from None

    def fingerprint(self) -> str | None:
        shown = hashlib.sha256()
        for entry in self._tree.walk(""):
            shown.update(repr(entry).encode("utf-8", "surrogateescape"))
        return shown.hexdigest()

    def tree(self) -> FileTree:
        return self._tree

    def open(self, path: str) -> BinaryIO:
        return self._contents.open(self._file(path))

    def read_digests(self, paths: Iterable[str]) -> Mapping[str, str]:
        return {path: self._file(path).digest for path in paths}

    def remember(self, digests: Iterable[tuple[str, str]]) -> None:
        pass

    def read_file(self, path: str) -> bytes | None:
        entry = self._tree.get(self._tree.resolve(path))
        if entry is None or entry.kind != FILE:
            return None
        if entry.size > LARGEST_DOCKERFILE:
            raise FileTooLarge(path)
        with self._contents.open(entry) as content:
            return content.read()

    def _file(self, path: str) -> Entry:
        entry = self._tree.get(path)
        if entry is None or entry.kind != FILE:
            raise ContextError(f"{path}: no such file in the build context")
        return entry


@dataclass(slots=True)
class _Contents:
    """Contents one after another in one file; several may be read at the same time."""

    _file: BinaryIO
    _lock: Lock = field(default_factory=Lock)
    _end: int = 0

    def add(self, content: BinaryIO) -> tuple[int, str]:
        """Append ``content``; return its start and its sha256 as hex."""
        start, digest = self._end, hashlib.sha256()
        while chunk := content.read(CHUNK):
            self._file.write(chunk)
            digest.update(chunk)
            self._end += len(chunk)
        # One byte more: empty files with the same start would count as names of one file.
        self._end += self._file.write(b"\0")
        return start, digest.hexdigest()

    def open(self, entry: Entry) -> BinaryIO:
        return cast(BinaryIO, _Part(self, entry.offset, entry.size))

    def read(self, start: int, size: int) -> bytes:
        with self._lock:
            self._file.seek(start)
            return self._file.read(size)


class _Part(RawIOBase):
    """A part of the file as a separate stream."""

    def __init__(self, contents: _Contents, start: int, size: int) -> None:
        self._contents = contents
        self._start = start
        self._size = size
        self._at = 0  # from the start of the part

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        origin = {SEEK_SET: 0, SEEK_CUR: self._at, SEEK_END: self._size}[whence]
        if origin + offset < 0:
            raise ValueError("a place before the start of the file")
        self._at = origin + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        left = max(self._size - self._at, 0)
        wanted = left if size is None or size < 0 else min(size, left)
        data = self._contents.read(self._start + self._at, wanted) if wanted else b""
        self._at += len(data)
        return data

    def readall(self) -> bytes:
        return self.read()


def _kept(members: Iterator[tuple[Entry, BinaryIO]], contents: _Contents) -> Iterator[Entry]:
    for entry, content in members:
        if entry.kind == SOCKET:
            continue
        if entry.kind == FILE:
            start, digest = contents.add(content)
            yield entry._replace(offset=start, digest=digest)
        else:
            yield entry
