"""Known files in the state's database."""

import marshal
import os
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from img.adapters.storage.sqlite import Database, Row, Transaction
from img.application.ports.file_digest_store import FileDigestStore, FileStamp, KnownFile

_STAMP = struct.Struct("<QQQqq")  # FileStamp's fields; an inode may need all 64 bits
_DIGEST = 32  # bytes
_FILES = 8192  # of one part; larger ones take more memory, and no less time
_USUAL_PART = _FILES * 100  # bytes
_MOST_PARTS = 16  # more than the usual number
_WORTH_IT = 4  # merge after a fourth of the bytes changed


class SqliteFileDigestStore(FileDigestStore):
    """A context in a few values, called parts: all files, then the changes of later builds.

    A row per file would take 0.3 s for 75,000 files, ten times as long as one value. Parts that are
    too many or too large are merged into one.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def load(self, context: str) -> Iterator[tuple[str, KnownFile | None]]:
        rows = self._database.read(
            "SELECT content FROM known_files"
            " WHERE context = (SELECT id FROM contexts WHERE directory = ?) ORDER BY part",
            (os.fsencode(context),),
        )
        return _changes(rows)

    def save(
        self,
        context: str,
        known: Iterable[tuple[str, KnownFile]],
        gone: Iterable[str] = (),
    ) -> None:
        parts = _encoded(known, gone)
        first = next(parts, None)
        if first is None:
            return
        directory = os.fsencode(context)
        # A power cut may lose the newest digests; those files are only read again.
        with self._database.transaction(durable=False) as transaction:
            transaction.write("INSERT OR IGNORE INTO contexts (directory) VALUES (?)", (directory,))
            query = "SELECT id FROM contexts WHERE directory = ?"
            number = transaction.read(query, (directory,))[0][0]
            _Context(transaction, number).add(chain((first,), parts))

    def forget(self, *, everything: bool = False) -> None:
        if everything and self._database.read("SELECT key FROM traces LIMIT 1"):
            with self._database.transaction(durable=False, frees=True) as transaction:
                transaction.write("DELETE FROM traces")  # they hold fingerprints of contexts
        known = self._database.read("SELECT id, directory FROM contexts")
        gone = [(id_,) for id_, path in known if everything or not os.path.isdir(os.fsdecode(path))]
        if gone:
            with self._database.transaction(durable=False, frees=True) as transaction:
                transaction.write_all("DELETE FROM known_files WHERE context = ?", gone)
                transaction.write_all("DELETE FROM contexts WHERE id = ?", gone)


class _Context:
    """The parts of one context."""

    def __init__(self, transaction: Transaction, number: int) -> None:
        self._transaction = transaction
        self._number = number

    def add(self, parts: Iterable[bytes]) -> None:
        """Append ``parts``, and merge all if they are many or if many files changed."""
        count, before = self._size()
        self._append(count, parts)
        count, after = self._size()
        changed = (after - before) * _WORTH_IT > before > 0
        if changed or count > _MOST_PARTS + after // _USUAL_PART:
            query = "SELECT content FROM known_files WHERE context = ? ORDER BY part"
            files = _merged(self._transaction.read(query, (self._number,)))
            delete = "DELETE FROM known_files WHERE context = ?"
            self._transaction.write(delete, (self._number,))
            self._append(0, _encoded(files.items(), ()))

    def _append(self, start: int, parts: Iterable[bytes]) -> None:
        rows = ((self._number, part, content) for part, content in enumerate(parts, start))
        self._transaction.write_all("INSERT INTO known_files VALUES (?, ?, ?)", rows)

    def _size(self) -> tuple[int, int]:
        """Return the number of stored parts, and their bytes."""
        query = "SELECT count(*), total(length(content)) FROM known_files WHERE context = ?"
        count, size = self._transaction.read(query, (self._number,))[0]
        return count, int(size)


def _encoded(known: Iterable[tuple[str, KnownFile]], gone: Iterable[str]) -> Iterator[bytes]:
    """Yield parts: added or changed files, and in the first, the paths of files that are gone."""
    files, gone = iter(known), list(gone)
    while (some := list(islice(files, _FILES))) or gone:
        yield _part(some, gone)
        gone = []


def _part(known: Iterable[tuple[str, KnownFile]], gone: Iterable[str]) -> bytes:
    paths: list[str] = []
    stamps, digests = bytearray(), bytearray()
    xattrs: dict[int, tuple[tuple[str, bytes], ...]] = {}
    for path, (stamp, digest, attributes) in known:
        try:
            stamps += _STAMP.pack(*stamp)
        except struct.error:  # a time centuries away; the file is read again by each build
            continue
        digests += bytes.fromhex(digest)
        if attributes:
            xattrs[len(paths)] = attributes
        paths.append(path)
    columns = (_joined(paths), bytes(stamps), bytes(digests), xattrs, _joined(gone))
    return marshal.dumps(columns, 4)


def _merged(rows: Iterable[Row]) -> dict[str, KnownFile]:
    files: dict[str, KnownFile] = {}
    for path, known in _changes(rows):
        if known is None:
            files.pop(path, None)
        else:
            files[path] = known
    return files


def _changes(rows: Iterable[Row]) -> Iterator[tuple[str, KnownFile | None]]:
    for (content,) in rows:
        try:
            known, gone = _decoded(content)
        except (ValueError, EOFError, TypeError):  # corrupt: its files are read again
            continue
        yield from known
        yield from ((path, None) for path in gone)


def _decoded(content: bytes) -> tuple[Iterator[tuple[str, KnownFile]], list[str]]:
    joined, stamps, digests, xattrs, gone = marshal.loads(content)
    paths, texts = _split(joined), digests.hex()
    if len(stamps) != len(paths) * _STAMP.size or len(digests) != len(paths) * _DIGEST:
        raise ValueError("columns of different lengths")
    return _known(paths, stamps, texts, dict(xattrs)), _split(gone)


def _known(
    paths: Sequence[str],
    stamps: bytes,
    texts: str,
    xattrs: Mapping[int, tuple[tuple[str, bytes], ...]],
    # Bypasses the NamedTuples' own __new__ and binds it here: a third faster.
    new: Callable[..., Any] = tuple.__new__,
) -> Iterator[tuple[str, KnownFile]]:
    start, get_xattrs = 0, xattrs.get
    for number, (path, stamp) in enumerate(zip(paths, _STAMP.iter_unpack(stamps), strict=True)):
        digest = texts[start : start + 2 * _DIGEST]
        start += 2 * _DIGEST
        yield path, new(KnownFile, (new(FileStamp, stamp), digest, get_xattrs(number, ())))


def _joined(paths: Iterable[str]) -> bytes:
    return "\0".join(paths).encode("utf-8", "surrogateescape")


def _split(paths: bytes) -> list[str]:
    return paths.decode("utf-8", "surrogateescape").split("\0") if paths else []
