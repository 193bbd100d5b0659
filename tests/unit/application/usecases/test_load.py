"""Loading images out of an archive."""

import io
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import BinaryIO

import pytest

from img.adapters.clock.fixed import FixedClock
from img.adapters.image_store.memory import MemoryImageStore
from img.adapters.state_lock.memory import MemoryStateLock
from img.application.ports.exporter import ArchivedImage
from img.application.ports.importer import Importer, InvalidArchive
from img.application.usecases.load import LoadImage
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference

NOW = datetime(2026, 1, 2, tzinfo=UTC)
APP, OTHER = ImageReference.parse("app"), ImageReference.parse("other")
TARGET = Descriptor(media_type=media_types.OCI_MANIFEST, digest=Digest.of(b""), size=0)
NEWER = Descriptor(media_type=media_types.OCI_MANIFEST, digest=Digest.of(b"newer"), size=5)


class Prepared(Importer):
    """An importer with a given content of the archive."""

    def __init__(self, *images: ArchivedImage) -> None:
        self._images = images

    def read(self, archive: BinaryIO) -> Sequence[ArchivedImage]:
        if not archive.read():
            raise InvalidArchive("it is empty")
        return self._images


def load(images: MemoryImageStore, content: bytes, *found: ArchivedImage) -> list[ArchivedImage]:
    use_case = LoadImage(
        images=images, importer=Prepared(*found), lock=MemoryStateLock(), clock=FixedClock(NOW)
    )
    return list(use_case(io.BytesIO(content)))


def test_images_are_stored_under_all_their_names() -> None:
    images = MemoryImageStore()
    named = ArchivedImage(target=TARGET, references=(APP, OTHER))
    nameless = ArchivedImage(target=NEWER)

    assert load(images, b"archive", named, nameless) == [named, nameless]

    assert [(image.name, image.target) for image in images.list()] == [
        (APP, TARGET),
        (OTHER, TARGET),
        (NEWER.digest, NEWER),
    ]
    assert images.get(APP).created == NOW


def test_of_a_bad_archive_no_name_is_stored() -> None:
    images = MemoryImageStore()

    with pytest.raises(InvalidArchive):
        load(images, b"", ArchivedImage(target=TARGET, references=(APP,)))

    assert list(images.list()) == []
