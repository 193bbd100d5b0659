"""Files of an image, read from its layers without unpacking."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING

from img.domain.dataclass import dataclass
from img.domain.errors import NotFoundError
from img.domain.filesystem.absent import FileNotInImage
from img.entrypoints.engine.protocol import Chunk, Find, Found, Glob, Read

if TYPE_CHECKING:
    from img.entrypoints.api.reader import ImageReader
    from img.entrypoints.engine.protocol import FileRecord


class FileKind(Enum):
    """The type of a file."""

    FILE = "f"
    DIRECTORY = "d"
    SYMLINK = "l"
    CHARACTER_DEVICE = "c"
    BLOCK_DEVICE = "b"
    FIFO = "p"


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A file, directory, link or device of an image."""

    _reader: ImageReader
    _record: FileRecord

    @property
    def path(self) -> str:
        """The absolute path, without symbolic links among its parents."""
        return f"/{self._record.path}"

    @property
    def name(self) -> str:
        """The last component of the path."""
        return posixpath.basename(self.path)

    @property
    def kind(self) -> FileKind:
        """The type of the file. Raises ValueError for an unknown type."""
        return FileKind(self._record.kind)

    @property
    def mode(self) -> int:
        """The twelve permission bits, such as 0o755."""
        return self._record.mode

    @property
    def uid(self) -> int:
        """The number of the owner."""
        return self._record.uid

    @property
    def gid(self) -> int:
        """The number of the group."""
        return self._record.gid

    @property
    def size(self) -> int:
        """The size of a regular file in bytes, 0 for others."""
        return self._record.size

    @property
    def mtime(self) -> datetime:
        """The time of modification, UTC. Raises OverflowError for years after 9999."""
        return datetime.fromtimestamp(self._record.mtime / 1e9, UTC)

    @property
    def link(self) -> str:
        """The text of a symbolic link, "" for others."""
        return self._record.link if self.is_symlink() else ""

    @property
    def device(self) -> tuple[int, int]:
        """The major and minor number of a device."""
        return self._record.device

    @property
    def xattrs(self) -> Mapping[str, bytes]:
        """The extended attributes."""
        return dict(self._record.xattrs)

    @property
    def digest(self) -> str:
        """The sha256 of the content of a regular file, as ``sha256:HEX``; "" for others."""
        return f"sha256:{self._record.digest}" if self._record.digest else ""

    def is_file(self) -> bool:
        """Return whether it is a regular file; links are not followed."""
        return self.kind is FileKind.FILE

    def is_dir(self) -> bool:
        """Return whether it is a directory; links are not followed."""
        return self.kind is FileKind.DIRECTORY

    def is_symlink(self) -> bool:
        """Return whether it is a symbolic link."""
        return self.kind is FileKind.SYMLINK

    def resolve(self) -> ImageFile:
        """Return the file that a symbolic link leads to, this file for others.

        Raises FileNotInImage.
        """
        return _found(self._reader, self.path, follow=True)

    def read_bytes(self) -> bytes:
        """Return the content of a regular file; links are followed.

        Raises NotFoundError, BlobDamaged.
        """
        answers = self._reader.ask(Read(self.path))
        return b"".join(answer.data for answer in answers if isinstance(answer, Chunk))

    def read_text(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Return the content as text. Raises UnicodeDecodeError, and as ``read_bytes``."""
        return self.read_bytes().decode(encoding, errors)

    def __truediv__(self, name: str) -> ImageFile:
        """Return the file ``name`` below this directory. Raises FileNotInImage."""
        return _found(self._reader, posixpath.join(self.path, name), follow=False)

    def __fspath__(self) -> str:
        return self.path

    def __repr__(self) -> str:
        record = self._record
        return (
            f"<ImageFile {self.path!r} {self.kind.name.lower()} {record.mode:04o} "
            f"{record.uid}:{record.gid} {record.size} bytes>"
        )


@dataclass(frozen=True, slots=True)
class ImageFiles:
    """The files of an image by path: ``files["/etc/passwd"]``."""

    _reader: ImageReader

    def __getitem__(self, path: str) -> ImageFile:
        """Return the file at ``path``; symbolic links are followed in its parents.

        Raises FileNotInImage.
        """
        return _found(self._reader, path, follow=False)

    def get(self, path: str) -> ImageFile | None:
        """Return the file at ``path`` or None."""
        try:
            return self[path]
        except FileNotInImage:
            return None

    def __contains__(self, path: object) -> bool:
        """Return whether the image has a file at ``path``, even if it is a dangling link."""
        return isinstance(path, str) and self.get(path) is not None

    def glob(self, pattern: str) -> list[ImageFile]:
        """Return the files with matching paths, sorted by path.

        ``*``, ``?`` and ``[...]`` match inside a name, ``**`` any number of directories. Symbolic
        links are not followed.
        """
        return [
            ImageFile(self._reader, record)
            for answer in self._reader.ask(Glob(pattern))
            if isinstance(answer, Found)
            for record in answer.files
        ]

    def __iter__(self) -> Iterator[str]:
        """Yield the absolute paths of all files, without the root."""
        return (each.path for each in self.glob("**") if each.path != "/")


def _found(reader: ImageReader, path: str, *, follow: bool) -> ImageFile:
    for answer in reader.ask(Find(path, follow)):
        if isinstance(answer, Found) and len(answer.files) == 1:
            return ImageFile(reader, answer.files[0])
    raise NotFoundError(f"no answer about {path}")
