"""Names in the state's database."""

from collections.abc import Sequence
from datetime import UTC, datetime

from img.adapters.linux.database import Database, Row
from img.application.ports.image_store import ImageNotFound, ImageStore, StoredImage
from img.domain.oci.codec import decode_descriptor, encode_descriptor
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference

_SELECT = "SELECT reference, target, created, updated FROM images"


class SqliteImageStore(ImageStore):
    """A row per name in the table ``images``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, reference: ImageReference) -> StoredImage:
        rows = self._database.read(f"{_SELECT} WHERE reference = ?", (str(reference),))
        if not rows:
            raise ImageNotFound(reference)
        return _image(rows[0])

    def put(self, reference: ImageReference, target: Descriptor, now: datetime) -> StoredImage:
        try:
            known = self.get(reference)
            if known.target == target:
                return known
        except ImageNotFound:
            pass
        time = now.astimezone(UTC).isoformat()
        with self._database.transaction() as transaction:
            transaction.write(
                "INSERT INTO images (reference, target, created, updated) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (reference) DO UPDATE"
                " SET target = excluded.target, updated = excluded.updated",
                (str(reference), encode_descriptor(target).decode(), time, time),
            )
            row = transaction.read(f"{_SELECT} WHERE reference = ?", (str(reference),))[0]
        return _image(row)

    def remove(self, reference: ImageReference) -> None:
        self.get(reference)  # so that a name that is not there creates no database
        with self._database.transaction(frees=True) as transaction:
            if not transaction.write("DELETE FROM images WHERE reference = ?", (str(reference),)):
                raise ImageNotFound(reference)

    def list(self) -> Sequence[StoredImage]:
        return [_image(row) for row in self._database.read(f"{_SELECT} ORDER BY reference")]


def _image(row: Row) -> StoredImage:
    reference, target, created, updated = row
    return StoredImage(
        reference=ImageReference.parse(reference, default_tag=False),
        target=decode_descriptor(target.encode()),
        created=datetime.fromisoformat(created),
        updated=datetime.fromisoformat(updated),
    )
