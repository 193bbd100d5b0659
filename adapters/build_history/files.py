"""Records as files: a journal of JSON lines, and compressed logs."""

import json
import os
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

from img.adapters.storage.own_files import NotOwn, make_directories, open_own_file, try_lock
from img.application.log import logger
from img.application.ports.build_history import (
    BuildHistory,
    LogPiece,
    RecordInUse,
    RecordNotFound,
    RecordWriter,
    StoredRecord,
)
from img.domain.history.journal import JournalEntry

log = logger("history")

_JOURNAL, _LOGS = ".journal", ".log"
_ID_BYTES = 6
_TIME_DIGITS = 16  # microseconds up to the year 2286
_PIECE = struct.Struct(">IBII")  # step, stream, milliseconds, length
_FLUSH_S = 1.0  # output of the last second may be lost if img is killed
_FLUSH_BYTES = 1 << 20
_CHUNK = 1 << 18
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
_encode = json.JSONEncoder(separators=(",", ":")).encode


class FileBuildHistory(BuildHistory):
    """Records in ``root/history``, as ``<microseconds of the start>-<ID>.journal`` and ``.log``.

    The process of a running build holds a lock on its journal.
    """

    def __init__(self, root: Path) -> None:
        self._directory = str(root / "history")
        self._known: dict[str, str] = {}  # IDs, and the paths of records without their ending

    def begin(self, started: float) -> RecordWriter:
        record = os.urandom(_ID_BYTES).hex()
        try:
            make_directories(self._directory)
            path = f"{self._directory}/{int(started * 1e6):0{_TIME_DIGITS}d}-{record}"
            journal = _locked(path + _JOURNAL)
        except OSError as error:
            log.info("the build is not recorded", reason=str(error))
            return _Unwritten(record)
        return _FileRecord(record, journal, path)

    def records(self) -> Sequence[StoredRecord]:
        try:
            names = os.listdir(self._directory)
        except (FileNotFoundError, NotADirectoryError):
            names = []
        found, known = [], {}
        for name in sorted(names, reverse=True):
            started, _, record = name.removesuffix(_JOURNAL).partition("-")
            if name.endswith(_JOURNAL) and _is_name(started, record):
                known[record] = f"{self._directory}/{started}-{record}"
                found.append(StoredRecord(id=record, started=int(started) / 1e6))
        self._known = known
        return found

    def size(self, record: str) -> int:
        size = 0
        with suppress(RecordNotFound, OSError):
            for ending in (_JOURNAL, _LOGS):
                size += os.lstat(self._path(record) + ending).st_blocks * 512
        return size

    def is_running(self, record: str) -> bool:
        try:
            return _is_locked(self._path(record) + _JOURNAL)
        except RecordNotFound:
            return False

    def journal(self, record: str) -> Iterator[JournalEntry]:
        descriptor = self._opened(record, _JOURNAL)
        if descriptor is None:
            raise RecordNotFound(record)
        return _entries(descriptor)

    def output(self, record: str) -> Iterator[LogPiece]:
        if not os.path.lexists(self._path(record) + _JOURNAL):
            raise RecordNotFound(record)
        descriptor = self._opened(record, _LOGS)
        return iter(()) if descriptor is None else _pieces(open(descriptor, "rb"))

    def remove(self, record: str) -> None:
        path = self._path(record)
        if _is_locked(path + _JOURNAL):
            raise RecordInUse(record)
        with suppress(FileNotFoundError):
            os.unlink(path + _LOGS)  # first: a crash in between leaves a record without logs
        try:
            os.unlink(path + _JOURNAL)
        except FileNotFoundError:  # another process did it
            raise RecordNotFound(record) from None

    def _path(self, record: str) -> str:
        path = self._known.get(record)
        if path is None:
            self.records()
            path = self._known.get(record)
        if path is None:
            raise RecordNotFound(record)
        return path

    def _opened(self, record: str, ending: str) -> int | None:
        try:
            return open_own_file(self._path(record) + ending, os.O_RDONLY)
        except (FileNotFoundError, NotOwn):
            return None


def _locked(path: str) -> int:
    """Return the descriptor of a new file, locked. Raises OSError; then there is no file."""
    descriptor = open_own_file(path, _NEW)
    try:
        try_lock(descriptor)
    except OSError:
        os.close(descriptor)
        os.unlink(path)
        raise
    return descriptor


def _is_name(started: str, record: str) -> bool:
    is_hex = not record.strip("0123456789abcdef")
    is_time = len(started) == _TIME_DIGITS and started.isdecimal()
    return is_time and len(record) == 2 * _ID_BYTES and is_hex


def _is_locked(path: str) -> bool:
    try:
        descriptor = open_own_file(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        return not try_lock(descriptor, shared=True)
    finally:
        os.close(descriptor)


def _entries(descriptor: int) -> Iterator[JournalEntry]:
    with open(descriptor, "rb") as file:
        for line in file:
            with suppress(ValueError, RecursionError):  # the last one may be cut off
                entry = json.loads(line.decode())
                if isinstance(entry, dict):
                    yield entry


def _pieces(file: BinaryIO) -> Iterator[LogPiece]:
    """Yield the pieces of a file; what a killed process did not complete is left out."""
    data = bytearray()
    for chunk in _decompressed(file):
        data += chunk
        at = 0
        while len(data) - at >= _PIECE.size:
            step, stream, after_ms, length = _PIECE.unpack_from(data, at)
            end = at + _PIECE.size + length
            if end > len(data):
                break
            yield LogPiece(step, stream, after_ms, bytes(data[at + _PIECE.size : end]))
            at = end
        del data[:at]


def _decompressed(file: BinaryIO) -> Iterator[bytes]:
    import zlib

    decoder = zlib.decompressobj()
    with file, suppress(zlib.error):
        while compressed := file.read(_CHUNK):
            while compressed:
                yield decoder.decompress(compressed, _CHUNK)
                compressed = decoder.unconsumed_tail


class _FileRecord(RecordWriter):
    """A record in two files; each entry is one write, so that a kill leaves whole lines."""

    def __init__(self, record: str, journal: int, path: str) -> None:
        self._id = record
        self._journal = journal
        self._path = path
        self._logs = -1
        self._encoder: Any = None
        self._waiting = 0  # bytes since the last flush
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()

    @property
    def id(self) -> str:
        return self._id

    def note(self, entry: JournalEntry) -> None:
        line = _encode(entry).encode() + b"\n"
        with self._lock:
            if self._journal >= 0:
                self._journal = self._written(self._journal, line)

    def output(self, piece: LogPiece) -> None:
        with self._lock:
            if self._journal < 0:
                return
            if self._encoder is None:
                self._open_logs()
            head = _PIECE.pack(piece.step, piece.stream, piece.after_ms, len(piece.data))
            data: bytes = self._encoder.compress(head) + self._encoder.compress(piece.data)
            self._waiting += len(piece.data)
            if self._waiting >= _FLUSH_BYTES:
                data += self._flush()
            elif self._timer is None:
                self._flush_soon()
            if data and self._logs >= 0:
                self._logs = self._written(self._logs, data)

    def close(self) -> None:
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            if self._encoder is not None and self._logs >= 0:
                self._logs = self._written(self._logs, self._encoder.flush())
            for descriptor in (self._logs, self._journal):
                if descriptor >= 0:
                    os.close(descriptor)
            self._logs = self._journal = -1

    def _open_logs(self) -> None:
        from isal import isal_zlib  # a third of the time that zlib takes

        self._encoder = isal_zlib.compressobj(1)
        try:
            self._logs = open_own_file(self._path + _LOGS, _NEW)
        except OSError as error:
            log.info("output is not recorded", reason=str(error))

    def _flush_soon(self) -> None:
        """Flush in a second: a step that hangs may write nothing more."""
        self._timer = threading.Timer(_FLUSH_S, self._flush_now)
        self._timer.daemon = True
        with suppress(RuntimeError):  # no more threads are allowed
            self._timer.start()

    def _flush_now(self) -> None:
        with self._lock:
            self._timer = None
            if self._waiting and self._logs >= 0:
                self._logs = self._written(self._logs, self._flush())

    def _flush(self) -> bytes:
        from isal import isal_zlib

        self._waiting = 0
        return cast("bytes", self._encoder.flush(isal_zlib.Z_SYNC_FLUSH))

    def _written(self, descriptor: int, data: bytes) -> int:
        """Write all of ``data``; return the descriptor, -1 if the disk takes no more."""
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(descriptor, left) :]
        except OSError as error:
            log.info("the build is recorded up to here", reason=str(error))
            os.close(descriptor)
            return -1
        return descriptor


class _Unwritten(RecordWriter):
    """A record that no file can be made for."""

    def __init__(self, record: str) -> None:
        self._id = record

    @property
    def id(self) -> str:
        return self._id

    def note(self, entry: JournalEntry) -> None:
        pass

    def output(self, piece: LogPiece) -> None:
        pass

    def close(self) -> None:
        pass
