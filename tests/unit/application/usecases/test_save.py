"""Saving images into an archive."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import BinaryIO

import pytest

from img.adapters.blob_store.memory import MemoryBlobStore
from img.adapters.image_store.memory import MemoryImageStore
from img.adapters.state_lock.memory import MemoryStateLock
from img.application.ports.exporter import ArchivedImage, Exporter
from img.application.ports.image_store import ImageNotFound
from img.application.transfer.catalog import Catalog
from img.application.transfer.companions import StoredCompanions
from img.application.transfer.find_image import FindImage
from img.application.transfer.stored_referrers import StoredReferrers
from img.application.usecases.save import SaveImage, UnknownFormat
from img.domain.digest import Digest
from img.domain.image_name import ImageName
from img.domain.oci import media_types
from img.domain.oci.codec import encode_index, encode_manifest
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index, NoPlatformMatch
from img.domain.oci.manifest import Manifest
from img.domain.platform import Platform
from img.domain.reference import ImageReference

NOW = datetime(2026, 1, 2, tzinfo=UTC)
AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")
APP, OTHER = ImageReference.parse("app"), ImageReference.parse("other")


class Recorder(Exporter):
    """An exporter that records its images and writes nothing."""

    def __init__(self) -> None:
        self.images: Sequence[ArchivedImage] = ()
        self.lock: MemoryStateLock | None = None
        self.was_collectable = True

    def export(self, images: Sequence[ArchivedImage], output: BinaryIO) -> None:
        self.images = images
        if self.lock:
            with self.lock.alone() as alone:
                self.was_collectable = alone
        output.write(b"archive")


@dataclass
class Save:
    """The use case, and what stands around it."""

    images: MemoryImageStore = field(default_factory=MemoryImageStore)
    blobs: MemoryBlobStore = field(default_factory=MemoryBlobStore)
    exporter: Recorder = field(default_factory=Recorder)
    lock: MemoryStateLock = field(default_factory=MemoryStateLock)
    output: io.BytesIO = field(default_factory=io.BytesIO)

    def add(self, content: bytes, media_type: str, platform: Platform | None = None) -> Descriptor:
        writer = self.blobs.writer()
        writer.write(content)
        return Descriptor(
            media_type=media_type, digest=writer.commit(), size=len(content), platform=platform
        )

    def manifest(self, platform: Platform) -> Descriptor:
        config = Descriptor(
            media_type=media_types.OCI_CONFIG, digest=Digest.of(str(platform).encode()), size=1
        )
        return self.add(
            encode_manifest(Manifest(config=config)), media_types.OCI_MANIFEST, platform
        )

    def index(self, *platforms: Platform) -> Descriptor:
        index = Index(manifests=tuple(map(self.manifest, platforms)))
        return self.add(encode_index(index), media_types.OCI_INDEX)

    def __call__(self, *references: ImageReference, archive_format: str) -> Sequence[ImageName]:
        return self.by(*map(str, references), archive_format=archive_format)

    def by(self, *names: str, archive_format: str) -> Sequence[ImageName]:
        catalog = Catalog(blobs=self.blobs)
        save = SaveImage(
            find=FindImage(images=self.images, catalog=catalog),
            companions=StoredCompanions(
                referrers=StoredReferrers(images=self.images, catalog=catalog), images=self.images
            ),
            blobs=self.blobs,
            exporters={"docker": self.exporter, "oci": self.exporter},
            lock=self.lock,
            platform=AMD64,
        )
        images = [ImageName.parse(name) for name in names]
        return save(images, self.output, archive_format=archive_format)


def test_all_names_of_one_image_go_in_together() -> None:
    save = Save()
    target = save.manifest(AMD64)
    for name in (APP, OTHER):
        save.images.put(name, target, NOW)

    save(APP, OTHER, APP, archive_format="docker")

    assert list(save.exporter.images) == [ArchivedImage(target=target, references=(APP, OTHER))]
    assert save.output.getvalue() == b"archive"


def test_garbage_is_not_collected_meanwhile() -> None:
    save = Save()
    save.images.put(APP, save.manifest(AMD64), NOW)
    save.exporter.lock = save.lock

    save(APP, archive_format="docker")

    assert not save.exporter.was_collectable


def test_an_image_of_many_platforms_goes_whole_into_an_oci_archive() -> None:
    save = Save()
    target = save.index(ARM64, AMD64)
    save.images.put(APP, target, NOW)

    save(APP, archive_format="oci")

    assert [image.target for image in save.exporter.images] == [target]


def test_of_many_platforms_a_docker_archive_gets_our_own() -> None:
    save = Save()
    save.images.put(APP, save.index(ARM64, AMD64), NOW)

    save(APP, archive_format="docker")

    assert [image.target for image in save.exporter.images] == [save.manifest(AMD64)]


def test_images_with_attestations_that_the_format_leaves_out_are_returned() -> None:
    save = Save()
    save.images.put(APP, save.index(AMD64, Platform("unknown", "unknown")), NOW)
    save.images.put(OTHER, save.manifest(AMD64), NOW)

    left_out = save(APP, OTHER, archive_format="docker")

    assert [each.reference for each in left_out] == [APP]
    assert save(APP, OTHER, archive_format="oci") == []


def test_an_image_without_our_platform_is_no_docker_archive() -> None:
    save = Save()
    save.images.put(APP, save.index(ARM64), NOW)

    with pytest.raises(NoPlatformMatch):
        save(APP, archive_format="docker")


def test_a_missing_image_is_told_before_anything_is_written() -> None:
    save = Save()
    save.images.put(APP, save.manifest(AMD64), NOW)

    with pytest.raises(ImageNotFound):
        save(APP, OTHER, archive_format="oci")

    assert save.output.getvalue() == b""


def test_an_unknown_format_is_told_with_the_known_ones() -> None:
    with pytest.raises(UnknownFormat, match='"zip" is not a valid format') as refused:
        Save()(APP, archive_format="zip")

    assert refused.value.hint == "use docker or oci"


def test_what_is_asked_for_by_an_id_has_no_name_in_the_archive() -> None:
    save = Save()
    target = save.manifest(AMD64)
    save.images.put(APP, target, NOW)

    save.by(str(target.digest), target.digest.encoded[:12], archive_format="oci")
    assert [image.references for image in save.exporter.images] == [()]

    pinned = APP.with_tag("").with_digest(target.digest)
    save.by(str(pinned), archive_format="oci")
    assert [image.references for image in save.exporter.images] == [(pinned,)]
