"""Cache records in the state's database."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from img.adapters.storage.sqlite import Database, Row
from img.adapters.storage.trace_questions import MARK_USED
from img.application.ports.cache_store import CacheRecord, CacheStore
from img.domain.digest import Digest
from img.domain.graph.provenance import Provenance
from img.domain.oci.chain import DiffID, Layer
from img.domain.oci.codec import decode_descriptor, encode_descriptor

_AT_ONCE = 1000  # keys, so that their log fits on a full disk
_COLUMNS = "key, diff_id, descriptor, created, description, used, uses, made_from"


class SqliteCacheStore(CacheStore):
    """A row per key in the table ``cache``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key: Digest) -> CacheRecord | None:
        rows = self._database.read(f"SELECT {_COLUMNS} FROM cache WHERE key = ?", (str(key),))
        return _record(rows[0])[1] if rows else None

    def put(self, records: Sequence[tuple[Digest, CacheRecord]]) -> None:
        if not records:
            return
        with self._database.transaction(durable=False) as transaction:
            # REPLACE assigns a new id: a record that is stored again is the newest.
            transaction.write_all(
                f"INSERT OR REPLACE INTO cache ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [_row(key, record) for key, record in records],
            )

    def touch(self, keys: Sequence[Digest], now: datetime) -> None:
        if keys:
            with self._database.transaction(durable=False, marks=True) as transaction:
                transaction.write_all(
                    MARK_USED,
                    [(_time(now), str(key)) for key in keys],
                )

    def records(self) -> Iterator[tuple[Digest, CacheRecord]]:
        for row in self._database.read(f"SELECT {_COLUMNS} FROM cache ORDER BY created, id"):
            yield _record(row)

    def remove(self, keys: Sequence[Digest]) -> None:
        known = {row[0] for row in self._database.read("SELECT key FROM cache")}
        gone = [(str(key),) for key in keys if str(key) in known]
        for start in range(0, len(gone), _AT_ONCE):
            with self._database.transaction(frees=True) as transaction:
                transaction.write_all(
                    "DELETE FROM cache WHERE key = ?", gone[start : start + _AT_ONCE]
                )


def _row(key: Digest, record: CacheRecord) -> Row:
    layer = record.layer
    return (
        str(key),
        str(layer.diff_id) if layer else None,
        encode_descriptor(layer.descriptor).decode() if layer else None,
        _time(record.created),
        record.description.encode(errors="replace").decode(),
        _time(record.used) if record.used else None,
        record.uses,
        "\n".join(f"{key} {content}" for key, content in record.made_from.items()) or None,
    )


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _record(row: Row) -> tuple[Digest, CacheRecord]:
    key, diff_id, descriptor, created, description, used, uses, made_from = row
    layer = None
    if diff_id is not None:
        layer = Layer(DiffID(Digest.parse(diff_id)), decode_descriptor(descriptor.encode()))
    record = CacheRecord(
        layer=layer,
        created=datetime.fromisoformat(created),
        description=description,
        used=datetime.fromisoformat(used) if used else None,
        uses=uses,
        made_from=_provenance(made_from) if made_from else {},
    )
    return Digest.parse(key), record


def _provenance(text: str) -> Provenance:
    pairs = (line.split(" ") for line in text.split("\n"))
    return {Digest.parse(key): Digest.parse(content) for key, content in pairs}
