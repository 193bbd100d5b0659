"""Known files in the state's database."""

import gc
import marshal
import os
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from img.adapters.storage.sqlite import Database, Row
from img.application.ports.file_digest_store import FileDigestStore, FileStamp, KnownFile

_STAMP = struct.Struct("<QQQqq")  # FileStamp's fields; an inode may need all 64 bits


class SqliteFileDigestStore(FileDigestStore):
    """A row per file in the table ``files``; the context's name is stored once in ``contexts``.

    Paths that are not UTF-8, which SQLite's text cannot store, are left out: those files are read
    again.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def load(self, context: str) -> Mapping[str, KnownFile]:
        with _no_collection():
            rows = self._database.read(
                "SELECT path, stamp, digest, xattrs FROM files"
                " WHERE context = (SELECT id FROM contexts WHERE directory = ?)",
                (os.fsencode(context),),
            )
            return {
                path: _known_file(stamp, digest, xattrs) for path, stamp, digest, xattrs in rows
            }

    def save(self, context: str, known: Mapping[str, KnownFile], gone: Iterable[str] = ()) -> None:
        gone = [path for path in gone if _is_text(path)]
        if not known and not gone:
            return
        directory = os.fsencode(context)
        # A power cut may lose the newest digests; those files are only read again.
        with self._database.transaction(durable=False) as transaction:
            transaction.write("INSERT OR IGNORE INTO contexts (directory) VALUES (?)", (directory,))
            query = "SELECT id FROM contexts WHERE directory = ?"
            number = transaction.read(query, (directory,))[0][0]
            transaction.write_all(
                "DELETE FROM files WHERE context = ? AND path = ?",
                ((number, path) for path in gone),
            )
            transaction.write_all(
                "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)",
                _rows(number, known),
            )

    def forget(self, *, everything: bool = False) -> None:
        known = self._database.read("SELECT id, directory FROM contexts")
        gone = [(id_,) for id_, path in known if everything or not os.path.isdir(os.fsdecode(path))]
        if gone:
            with self._database.transaction(durable=False, frees=True) as transaction:
                transaction.write_all("DELETE FROM files WHERE context = ?", gone)
                transaction.write_all("DELETE FROM contexts WHERE id = ?", gone)


@contextmanager
def _no_collection() -> Iterator[None]:
    # Otherwise the collector scans the 10^5 new tuples, none of them garbage, repeatedly.
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _known_file(
    packed: bytes,
    digest: str,
    xattrs: bytes | None,
    # Bypasses the NamedTuples' own __new__ and binds it here: a third faster.
    new: Callable[..., Any] = tuple.__new__,
    unpack: Callable[[bytes], tuple[int, ...]] = _STAMP.unpack,
) -> KnownFile:
    stamp = new(FileStamp, unpack(packed))
    known: KnownFile = new(KnownFile, (stamp, digest, marshal.loads(xattrs) if xattrs else ()))
    return known


def _rows(context: int, known: Mapping[str, KnownFile]) -> Iterator[Row]:
    for path in sorted(known):  # in the order of the table's tree: three times as fast
        stamp, digest, xattrs = known[path]
        packed = _packed(stamp)
        if packed and _is_text(path):
            yield context, path, packed, digest, marshal.dumps(xattrs) if xattrs else None


def _packed(stamp: FileStamp) -> bytes | None:
    try:
        return _STAMP.pack(*stamp)
    except struct.error:  # a time stamp centuries away
        return None


def _is_text(path: str) -> bool:
    if path.isascii():
        return True
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
