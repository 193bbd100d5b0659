"""Refusals of importers: archives that are damaged, not whole, or too large."""

import gzip
import io

import pytest

from img.adapters.blob_store.memory import MemoryBlobStore
from img.adapters.importer.archive import ArchiveImporter
from img.adapters.layer_archive.compression import decompressed
from img.adapters.layer_archive.tar import archive_members
from img.application.ports.blob_store import BlobMismatch
from img.application.ports.exporter import ArchivedImage
from img.application.ports.importer import Importer, InvalidArchive
from img.domain.digest import Digest
from img.domain.oci.codec import (
    encode_index,
)
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index
from img.domain.oci.layout import LAYOUT_CONTENT
from tests.support.images.image_archives import (
    AMD64,
    HIGH,
    LOW,
    Files,
    a_config,
    a_layout,
    an_archive,
    an_image,
    docker_archive,
)


@pytest.fixture
def importer() -> Importer:
    return ArchiveImporter(MemoryBlobStore(), archive_members, decompressed, AMD64)


def load(importer: Importer, archive: bytes) -> list[ArchivedImage]:
    return list(importer.read(io.BytesIO(archive)))


def test_an_image_that_is_not_whole_is_refused(importer: Importer) -> None:
    elsewhere = MemoryBlobStore()
    target = an_image(elsewhere, LOW)
    lost = Digest.of(gzip.compress(LOW, mtime=0))

    with pytest.raises(InvalidArchive, match=f"{lost} is missing"):
        load(importer, a_layout(elsewhere, Index(manifests=(target,)), without=[lost]))


def test_a_blob_under_a_wrong_name_is_refused(importer: Importer) -> None:
    files = {"oci-layout": LAYOUT_CONTENT, f"blobs/sha256/{'0' * 64}": b"not that"}

    with pytest.raises(BlobMismatch):
        load(importer, an_archive(files))


def test_a_size_that_was_not_promised_is_refused(importer: Importer) -> None:
    elsewhere = MemoryBlobStore()
    target = an_image(elsewhere, LOW)
    wrong = Descriptor(media_type=target.media_type, digest=target.digest, size=1)

    with pytest.raises(InvalidArchive, match="not 1 as promised"):
        load(importer, a_layout(elsewhere, Index(manifests=(wrong,))))


@pytest.mark.parametrize(
    "archive",
    [
        b"",
        b"no archive",
        gzip.compress(b"no archive", mtime=0),
        gzip.compress(LOW, mtime=0)[:30],
        LOW,
        bytes(10240),
        an_archive({"manifest.json": b"{}"}),
        an_archive({"manifest.json": b"["}),
        an_archive({"manifest.json": b"[1]"}),
        an_archive({"manifest.json": b"[{}]"}),
        an_archive({"manifest.json": b'[{"Config": "c.json"}]'}),
        an_archive({"manifest.json": b'[{"Config": "c.json"}]', "c.json": b"{}"}),
        an_archive({"manifest.json": b'[{"Config": "c.json"}]', "c.json": "c.json"}),
        an_archive({"manifest.json": bytes(5 << 20)}),
        an_archive({"repositories": b'{"a": 1}'}),
        an_archive({"repositories": b'{"a": {"b": "c"}}'}),
        an_archive({"repositories": b'{"a": {"b": "c"}}', "c/json": b'{"parent": "c"}'}),
        an_archive({"oci-layout": b"{}", "index.json": encode_index(Index())}),
        an_archive({"oci-layout": LAYOUT_CONTENT, "index.json": b"[]"}),
        docker_archive(LOW, HIGH)[:2000],
        docker_archive(LOW, HIGH, tags=["No Name"]),
        docker_archive(LOW, gzip.compress(HIGH, mtime=0)[:-20]),
        docker_archive(LOW, HIGH, **{"config.json": a_config(LOW)}),
    ],
)
def test_what_is_no_good_archive_is_refused(importer: Importer, archive: bytes) -> None:
    with pytest.raises(InvalidArchive):
        load(importer, archive)


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"manifest.json": b"[" + b"{}," * 4096 + b"{}]"}, "it names 4097 images, more than 4096"),
        (
            {
                "repositories": b'{"a": {"b": "0"}}',
                **{f"{n}/json": b'{"parent": "%d"}' % (n + 1) for n in range(1100)},
            },
            "image 0 has more than 1024 layers",
        ),
        ({"../x": b""}, "leads out of the archive's root"),
    ],
)
def test_what_is_more_than_anybody_has_is_refused(
    importer: Importer, files: Files, problem: str
) -> None:
    with pytest.raises(InvalidArchive, match=problem):
        load(importer, an_archive(files))
