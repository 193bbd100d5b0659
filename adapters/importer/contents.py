"""The files of an archive, copied from a stream into the blob store."""

import posixpath
from collections.abc import Iterator
from typing import BinaryIO

from img.adapters.linux.buffers import CHUNK
from img.application.ports.blob_store import BlobStore
from img.application.ports.importer import InvalidArchive
from img.application.ports.layer_archive import InvalidLayer
from img.domain.dataclass import dataclass
from img.domain.digest import Digest, InvalidDigest
from img.domain.filesystem.entry import FILE, HARDLINK, SYMLINK, Entry

_LARGEST_DOCUMENT = 4 << 20
_ALL_DOCUMENTS = 64 << 20
_DOCUMENTS = {"oci-layout", "repositories", "json", "VERSION"}
_MOST_LINKS = 40
_START = 8  # bytes that identify compressions


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of the archive that is stored as a blob; ``start`` is its first bytes."""

    digest: Digest
    size: int  # bytes
    start: bytes


class Contents:
    """The content of an archive: small documents in memory, all else in the blob store."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._documents: dict[str, bytes] = {}
        self._room = _ALL_DOCUMENTS
        self._files: dict[str, StoredFile] = {}
        self._links: dict[str, str] = {}

    @classmethod
    def of(cls, members: Iterator[tuple[Entry, BinaryIO]], blobs: BlobStore) -> "Contents":
        """Read all ``members``. Raises InvalidArchive, BlobMismatch."""
        contents = cls(blobs)
        try:
            for entry, content in members:
                contents._take(entry, content)
        except InvalidLayer as error:
            raise InvalidArchive(error.message) from error
        except OSError as error:
            raise InvalidArchive(error.strerror or str(error)) from error
        return contents

    def document(self, name: str) -> bytes | None:
        """Return a document, from memory or the blob store; None if there is none of that name."""
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
        """Return a document. Raises InvalidArchive if there is none."""
        content = self.document(name)
        if content is None:
            raise InvalidArchive(f"{name} is missing")
        return content

    def file(self, name: str) -> StoredFile:
        """Return a stored file. Raises InvalidArchive if there is none."""
        try:
            return self._files[self._resolved(name)]
        except KeyError:
            raise InvalidArchive(f"{name} is missing") from None

    def _take(self, entry: Entry, content: BinaryIO) -> None:
        parent, base = posixpath.split(_clean(entry.path))
        name = posixpath.join(self._resolved(parent), base)
        for earlier in (self._documents, self._files, self._links):
            earlier.pop(name, None)
        if entry.kind == SYMLINK:
            self._links[name] = entry.link
        elif entry.kind == HARDLINK:
            self._links[name] = f"/{entry.link}"
        elif entry.kind == FILE:
            if _is_document(name):
                self._keep(name, entry.size, content)
            else:
                self._store(name, entry.size, content)

    def _keep(self, name: str, size: int, content: BinaryIO) -> None:
        self._room -= size
        if size > _LARGEST_DOCUMENT or self._room < 0:
            raise InvalidArchive(f"{name} is too large")
        pieces = iter(lambda: content.read(CHUNK), b"")
        self._documents[name] = b"".join(pieces)

    def _store(self, name: str, size: int, content: BinaryIO) -> None:
        writer = self._blobs.writer()
        try:
            start = b""
            while chunk := content.read(CHUNK):
                start += chunk[: _START - len(start)]
                writer.write(chunk)
            digest = writer.commit(_digest_in_name(name))
        finally:
            writer.abort()
        self._files[name] = StoredFile(digest, size, start)

    def _resolved(self, name: str) -> str:
        """Return the path that ``name`` leads to, through links to files and to directories."""
        left = [part for part in name.split("/") if part not in {"", "."}][::-1]
        place: list[str] = []
        links = 0
        while left and links <= _MOST_LINKS:
            part = left.pop()
            if part == "..":
                place = place[:-1]
                continue
            link = self._links.get("/".join((*place, part)))
            if link is None:
                place.append(part)
                continue
            links += 1
            if link.startswith("/"):
                place = []
            left += [part for part in link.split("/") if part not in {"", "."}][::-1]
        return "/".join(place)


def _clean(name: str) -> str:
    return posixpath.normpath("/" + name).lstrip("/")


def _is_document(name: str) -> bool:
    base = posixpath.basename(name)
    return not name.startswith("blobs/") and (base in _DOCUMENTS or base.endswith(".json"))


def _digest_in_name(name: str) -> Digest | None:
    """Return the digest in the name of a layout's file."""
    match name.split("/"):
        case ["blobs", algorithm, encoded]:
            try:
                return Digest.parse(f"{algorithm}:{encoded}")
            except InvalidDigest:
                return None
        case _:
            return None
