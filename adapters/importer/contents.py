"""The files of an archive, taken from a stream into the blob store."""

import io
import posixpath
import tarfile
from collections.abc import Iterator
from typing import IO, BinaryIO

from img.application.ports.blob_store import BlobStore
from img.application.ports.exporter import Decompress
from img.application.ports.importer import InvalidArchive
from img.application.ports.layer_archive import InvalidLayer
from img.domain.dataclass import dataclass
from img.domain.digest import Digest, InvalidDigest

_CHUNK = 1 << 20
_LARGEST_DOCUMENT = 4 << 20
_ALL_DOCUMENTS = 64 << 20
_DOCUMENTS = {"oci-layout", "repositories", "json", "VERSION"}
_MOST_LINKS = 40


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of the archive that is a blob now; ``start`` is its first bytes."""

    digest: Digest
    size: int  # bytes
    start: bytes


class Contents:
    """What was in the archive: small documents in memory, all else in the blob store."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._documents: dict[str, bytes] = {}
        self._room = _ALL_DOCUMENTS
        self._files: dict[str, StoredFile] = {}
        self._links: dict[str, str] = {}

    @classmethod
    def of(cls, archive: BinaryIO, blobs: BlobStore, decompress: Decompress) -> "Contents":
        """Read ``archive``, compressed or not, to its end. Raises InvalidArchive, BlobMismatch."""
        contents = cls(blobs)
        stream = io.BufferedReader(_Joined(decompress(archive)), _CHUNK)
        try:
            with tarfile.open(fileobj=stream, mode="r|", bufsize=_CHUNK) as members:
                for member in members:
                    contents._take(members, member)
        except (tarfile.TarError, InvalidLayer, EOFError, ValueError, OSError) as error:
            raise InvalidArchive(str(error)) from error
        return contents

    def document(self, name: str) -> bytes | None:
        """Return a document, wherever it was put; None when the archive has none of that name."""
        name = self._resolved(name)
        if name in self._documents:
            return self._documents[name]
        stored = self._files.get(name)
        if stored is None:
            return None
        if stored.size > _LARGEST_DOCUMENT:
            raise InvalidArchive(f"{name} is too large")
        with self._blobs.open(stored.digest) as blob:
            return blob.read()

    def required_document(self, name: str) -> bytes:
        """Return a document. Raises InvalidArchive when there is none."""
        content = self.document(name)
        if content is None:
            raise InvalidArchive(f"{name} is missing")
        return content

    def file(self, name: str) -> StoredFile:
        """Return a stored file. Raises InvalidArchive when there is none."""
        try:
            return self._files[self._resolved(name)]
        except KeyError:
            raise InvalidArchive(f"{name} is missing") from None

    def _take(self, members: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        name = _clean(member.name)
        if member.issym():
            self._links[name] = _clean(posixpath.join(posixpath.dirname(name), member.linkname))
        elif member.islnk():
            self._links[name] = _clean(member.linkname)
        elif member.isfile():
            content = members.extractfile(member)
            assert content is not None
            if _is_document(name):
                self._keep(name, member.size, content.read(_LARGEST_DOCUMENT + 1))
            else:
                self._store(name, member.size, content)

    def _keep(self, name: str, size: int, content: bytes) -> None:
        self._room -= len(content)
        if size > _LARGEST_DOCUMENT or self._room < 0:
            raise InvalidArchive(f"{name} is too large")
        if len(content) != size:
            raise InvalidArchive("it is cut short")
        self._documents[name] = content

    def _store(self, name: str, size: int, content: IO[bytes]) -> None:
        writer = self._blobs.writer()
        try:
            start, left = b"", size
            while left:
                chunk = content.read(min(_CHUNK, left))
                if not chunk:
                    raise InvalidArchive("it is cut short")
                start = start or chunk[:8]
                left -= writer.write(chunk)
            digest = writer.commit(_promised(name))
        finally:
            writer.abort()
        self._files[name] = StoredFile(digest, size, start)

    def _resolved(self, name: str) -> str:
        name = _clean(name)
        for _ in range(_MOST_LINKS):
            if name not in self._links:
                break
            name = self._links[name]
        return name


class _Joined(io.RawIOBase):
    """A stream of chunks."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._chunk = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        while not self._chunk:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._chunk = memoryview(chunk)
        taken = self._chunk[: len(buffer)]
        buffer[: len(taken)] = taken
        self._chunk = self._chunk[len(taken) :]
        return len(taken)


def _clean(name: str) -> str:
    return posixpath.normpath("/" + name).lstrip("/")


def _is_document(name: str) -> bool:
    base = posixpath.basename(name)
    return not name.startswith("blobs/") and (base in _DOCUMENTS or base.endswith(".json"))


def _promised(name: str) -> Digest | None:
    """Return the digest that a file of a layout has as its name."""
    match name.split("/"):
        case ["blobs", algorithm, encoded]:
            try:
                return Digest(algorithm, encoded)
            except InvalidDigest:
                return None
        case _:
            return None
