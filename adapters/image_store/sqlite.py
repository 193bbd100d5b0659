"""Names in the state's database."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from img.adapters.storage.sqlite import Database, Row
from img.application.ports.image_store import (
    ImageNotFound,
    ImageStore,
    StoredImage,
    in_order,
    stored_already,
)
from img.domain.digest import Digest
from img.domain.oci.codec import decode_descriptor, encode_descriptor
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import StoredName, may_name, parse_stored_name

_SELECT = "SELECT reference, target, created, updated FROM images"


class SqliteImageStore(ImageStore):
    """A row per name in the table ``images``; an image without a name has a row per digest."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: StoredName) -> StoredImage:
        rows = self._database.read(f"{_SELECT} WHERE reference = ?", (str(name),))
        if not (images := _images(rows)):
            raise ImageNotFound(name)
        return images[0]

    def put(self, name: StoredName, target: Descriptor, now: datetime) -> StoredImage:
        query = _like(name, target)
        if image := stored_already(in_order(_images(self._database.read(*query))), name, target):
            return image
        time = now.astimezone(UTC).isoformat()
        with self._database.transaction() as transaction:
            images = _images(transaction.read(*query))  # another process may have put it
            if image := stored_already(images, name, target):
                return image
            transaction.write("DELETE FROM images WHERE reference = ?", (str(target.digest),))
            transaction.write(
                "INSERT INTO images (reference, target, created, updated) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (reference) DO UPDATE"
                " SET target = excluded.target, updated = excluded.updated",
                (str(name), encode_descriptor(target).decode(), time, time),
            )
            row = transaction.read(f"{_SELECT} WHERE reference = ?", (str(name),))[0]
        return _image(row)

    def remove(self, name: StoredName) -> None:
        self.get(name)  # so that an unknown name creates no database
        with self._database.transaction(frees=True) as transaction:
            if not transaction.write("DELETE FROM images WHERE reference = ?", (str(name),)):
                raise ImageNotFound(name)

    def list(self) -> Sequence[StoredImage]:
        return in_order(_images(self._database.read(_SELECT)))


def _like(name: StoredName, target: Descriptor) -> tuple[str, tuple[str]]:
    """Return the query for images of that name, or without a name for images of that target."""
    if isinstance(name, Digest):
        return f"{_SELECT} WHERE instr(target, ?)", (str(target.digest),)
    return f"{_SELECT} WHERE reference = ?", (str(name),)


def _images(rows: Iterable[Row]) -> Sequence[StoredImage]:
    """Return the images of ``rows``; earlier versions may have stored wrong ones under a digest."""
    return [image for image in map(_image, rows) if may_name(image.name, image.target.digest)]


def _image(row: Row) -> StoredImage:
    name, target, created, updated = row
    return StoredImage(
        name=parse_stored_name(name),
        target=decode_descriptor(target.encode()),
        created=datetime.fromisoformat(created),
        updated=datetime.fromisoformat(updated),
    )
