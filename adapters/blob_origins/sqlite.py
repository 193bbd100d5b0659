"""Origins in the state's database."""

from collections.abc import Iterable, Iterator, Sequence

from img.adapters.storage.sqlite import Database
from img.application.ports.blob_origins import BlobOrigins
from img.domain.digest import Digest

_OF = "SELECT repository FROM blob_origins WHERE digest = ? ORDER BY id DESC"
_IS_KNOWN = "SELECT 1 FROM blob_origins WHERE digest = ? AND repository = ?"
_ADD = "INSERT OR IGNORE INTO blob_origins (digest, repository) VALUES (?, ?)"


class SqliteBlobOrigins(BlobOrigins):
    """A row per blob and repository in the table ``blob_origins``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def repositories(self, digest: Digest) -> Sequence[str]:
        return [row[0] for row in self._database.read(_OF, (str(digest),))]

    def add(self, repository: str, digests: Iterable[Digest]) -> None:
        rows = [(str(digest), repository) for digest in dict.fromkeys(digests)]
        new = [row for row in rows if not self._database.read(_IS_KNOWN, row)]
        if new:
            with self._database.transaction(durable=False) as transaction:
                transaction.write_all(_ADD, new)

    def forget(self, repository: str, digest: Digest) -> None:
        row = (str(digest), repository)
        if self._database.read(_IS_KNOWN, row):
            with self._database.transaction(durable=False) as transaction:
                transaction.write(
                    "DELETE FROM blob_origins WHERE digest = ? AND repository = ?", row
                )

    def digests(self) -> Iterator[Digest]:
        for row in self._database.read("SELECT DISTINCT digest FROM blob_origins"):
            yield Digest.parse(row[0])

    def remove(self, digests: Iterable[Digest]) -> None:
        known = set(self.digests())
        gone = [(str(digest),) for digest in digests if digest in known]
        if gone:
            with self._database.transaction(durable=False) as transaction:
                transaction.write_all("DELETE FROM blob_origins WHERE digest = ?", gone)
