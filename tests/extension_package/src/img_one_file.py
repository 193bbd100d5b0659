"""Images of img in one SQLite file: easy to copy, easy to throw away."""

import hashlib
import io
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, BinaryIO

from img.application.ports.blob_store import BlobMismatch, BlobNotFound, BlobStore, BlobWriter
from img.application.ports.image_store import (
    ImageNotFound,
    ImageStore,
    StoredImage,
    in_order,
    stored_already,
)
from img.application.ports.plugin import PluginContext
from img.domain.digest import Digest
from img.domain.errors import StateError
from img.domain.oci.codec import decode_descriptor, encode_descriptor
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import StoredName, parse_stored_name

_TABLES = """
CREATE TABLE IF NOT EXISTS blobs (digest TEXT PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS images
    (reference TEXT PRIMARY KEY, target BLOB, created TEXT, updated TEXT);
"""


class OneFile:
    """A connection for each call, so that threads and processes need not know of one another."""

    def __init__(self, context: PluginContext) -> None:
        self.path = context.state / "one-file.db"

    def connect(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            self.path, timeout=30, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA journal_mode = WAL")  # readers keep open blobs
        connection.executescript(_TABLES)
        return connection

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Enter with a connection; what is done inside is done wholly or not at all."""
        try:
            connection = self.connect()
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            finally:
                connection.close()
        except sqlite3.Error as error:  # foreign exceptions stop here
            raise StateError(f"the state cannot be used: {self.path}: {error}") from error


class OneFileBlobStore(OneFile, BlobStore):
    """A row a blob, streamed in and out; SQLite takes up to 1 GB each."""

    def open(self, digest: Digest) -> BinaryIO:
        connection = self.connect()
        found = connection.execute("SELECT rowid FROM blobs WHERE digest = ?", [str(digest)])
        for (row,) in found:
            return io.BufferedReader(_Content(connection, row))
        connection.close()
        raise BlobNotFound(digest)

    def writer(self) -> BlobWriter:
        return OneFileBlobWriter(self)

    def size(self, digest: Digest) -> int | None:
        query = "SELECT length(content) FROM blobs WHERE digest = ?"
        with self.transaction() as file:
            row = file.execute(query, [str(digest)]).fetchone()
        return row[0] if row else None

    def digests(self) -> Iterator[Digest]:
        with self.transaction() as file:
            rows = file.execute("SELECT digest FROM blobs").fetchall()
        return (Digest.parse(text) for (text,) in rows)

    def remove(self, digest: Digest) -> None:
        with self.transaction() as file:
            file.execute("DELETE FROM blobs WHERE digest = ?", [str(digest)])


class OneFileBlobWriter(BlobWriter):
    """A blob in the making, in a nameless file until it is whole."""

    def __init__(self, store: OneFileBlobStore) -> None:
        self._store = store
        self._draft = tempfile.TemporaryFile()  # noqa: SIM115 (abort closes it)

    def write(self, data: bytes | memoryview) -> int:
        return self._draft.write(data)

    def commit(self, expected: Digest | None = None) -> Digest:
        try:
            algorithm = expected.algorithm if expected else "sha256"
            size = self._draft.tell()
            self._draft.seek(0)
            actual = Digest(algorithm, hashlib.file_digest(self._draft, algorithm).hexdigest())
            if expected not in (None, actual):
                raise BlobMismatch(expected, actual)
            self._insert(actual, size)
            return actual
        finally:
            self.abort()

    def _insert(self, digest: Digest, size: int) -> None:
        query = "INSERT OR IGNORE INTO blobs VALUES (?, zeroblob(?)) RETURNING rowid"
        self._draft.seek(0)
        with self._store.transaction() as file:
            for (row,) in file.execute(query, [str(digest), size]).fetchall():
                with file.blobopen("blobs", "content", row) as content:
                    while chunk := self._draft.read(1 << 20):
                        content.write(chunk)

    def abort(self) -> None:
        self._draft.close()


class _Content(io.RawIOBase):
    """A blob as a stream, on a connection of its own."""

    def __init__(self, connection: sqlite3.Connection, row: int) -> None:
        self._connection = connection
        self._blob = connection.blobopen("blobs", "content", row, readonly=True)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._blob.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._blob.seek(offset, whence)
        return self._blob.tell()

    def close(self) -> None:
        self._blob.close()
        self._connection.close()
        super().close()


class OneFileImageStore(OneFile, ImageStore):
    """A row a name; for an image without a name, its digest."""

    def get(self, name: StoredName) -> StoredImage:
        for image in self.list():
            if image.name == name:
                return image
        raise ImageNotFound(name)

    def put(self, name: StoredName, target: Descriptor, now: datetime) -> StoredImage:
        time = now.isoformat()
        with self.transaction() as file:
            if image := stored_already(self._images(file), name, target):
                return image
            file.execute("DELETE FROM images WHERE reference = ?", [str(target.digest)])
            file.execute(
                "INSERT INTO images VALUES (?, ?, ?, ?) ON CONFLICT (reference) DO UPDATE"
                " SET target = excluded.target, updated = excluded.updated",
                [str(name), encode_descriptor(target), time, time],
            )
        return self.get(name)

    def remove(self, name: StoredName) -> None:
        with self.transaction() as file:
            if not file.execute("DELETE FROM images WHERE reference = ?", [str(name)]).rowcount:
                raise ImageNotFound(name)

    def list(self) -> Sequence[StoredImage]:
        with self.transaction() as file:
            return in_order(self._images(file))

    def _images(self, file: sqlite3.Connection) -> Iterator[StoredImage]:
        for name, target, created, updated in file.execute("SELECT * FROM images").fetchall():
            yield StoredImage(
                name=parse_stored_name(name),
                target=decode_descriptor(target),
                created=datetime.fromisoformat(created),
                updated=datetime.fromisoformat(updated),
            )
