"""The contract of importers: archives of all ages and tools become images."""

import bz2
import gzip
import io
import json
import lzma
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest
import zstandard

from img.adapters.blob_store.memory import MemoryBlobStore
from img.adapters.exporter.docker_archive import DockerArchiveExporter
from img.adapters.exporter.oci_archive import OciArchiveExporter
from img.adapters.importer.archive import ArchiveImporter
from img.adapters.layer_archive.compression import decompressed
from img.adapters.layer_archive.tar import archive_members
from img.application.ports.blob_store import BlobMismatch, BlobStore
from img.application.ports.exporter import ArchivedImage
from img.application.ports.importer import Importer
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.chain import DiffID
from img.domain.oci.codec import (
    decode_config,
    decode_manifest,
    encode_index,
)
from img.domain.oci.config import ImageConfig
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index
from img.domain.oci.layout import CONTAINERD_NAME, REF_NAME
from img.domain.oci.manifest import Manifest
from img.domain.reference import ImageReference
from tests.support.images.image_archives import (
    AMD64,
    HIGH,
    LOW,
    a_config,
    a_layout,
    add,
    an_archive,
    an_image,
    docker_archive,
    listed,
)

APP = ImageReference.parse("app:v1")
OTHER = ImageReference.parse("registry.example/team/other")


@pytest.fixture
def blobs() -> MemoryBlobStore:
    return MemoryBlobStore()


@pytest.fixture
def importer(blobs: MemoryBlobStore) -> Importer:
    return ArchiveImporter(blobs, archive_members, decompressed, AMD64)


def load(importer: Importer, archive: bytes) -> list[ArchivedImage]:
    return list(importer.read(io.BytesIO(archive)))


def manifest_of(blobs: BlobStore, image: ArchivedImage) -> Manifest:
    with blobs.open(image.target.digest) as content:
        return decode_manifest(content.read())


def config_of(blobs: BlobStore, image: ArchivedImage) -> ImageConfig:
    with blobs.open(manifest_of(blobs, image).config.digest) as content:
        return decode_config(content.read())


COMPRESSIONS: list[Callable[[bytes], bytes]] = [
    bytes,
    gzip.compress,
    bz2.compress,
    lzma.compress,
    zstandard.ZstdCompressor().compress,
]


@pytest.mark.parametrize("compress", COMPRESSIONS)
def test_an_oci_archive_gives_the_images_that_went_in(
    blobs: MemoryBlobStore, importer: Importer, compress: Callable[[bytes], bytes]
) -> None:
    elsewhere = MemoryBlobStore()
    image = ArchivedImage(target=an_image(elsewhere, LOW, HIGH), references=(APP, OTHER))
    output = io.BytesIO()
    OciArchiveExporter(elsewhere).export([image], output)

    assert load(importer, compress(output.getvalue())) == [image]
    assert set(blobs.digests()) == set(elsewhere.digests())


@pytest.mark.parametrize("compress", COMPRESSIONS)
def test_a_docker_archive_gives_its_config_layers_and_names(
    blobs: MemoryBlobStore, importer: Importer, compress: Callable[[bytes], bytes]
) -> None:
    elsewhere = MemoryBlobStore()
    target = an_image(elsewhere, LOW, HIGH)
    output = io.BytesIO()
    DockerArchiveExporter(elsewhere, decompressed).export(
        [ArchivedImage(target=target, references=(APP, OTHER))], output
    )

    (image,) = load(importer, compress(output.getvalue()))

    assert image.references == (APP, OTHER)
    manifest = manifest_of(blobs, image)
    assert manifest.config.digest == Digest.of(a_config(LOW, HIGH))
    assert [(layer.media_type, layer.digest, layer.size) for layer in manifest.layers] == [
        (media_types.OCI_LAYER, Digest.of(layer), len(layer)) for layer in (LOW, HIGH)
    ]
    assert all(blobs.size(blob.digest) == blob.size for blob in manifest.blobs)


def test_the_order_of_files_does_not_matter_and_links_are_followed(
    blobs: MemoryBlobStore, importer: Importer
) -> None:
    archive = an_archive(
        {
            "manifest.json": json.dumps(
                [{"Config": "./c.json", "RepoTags": None, "Layers": ["a/layer.tar", "b/layer.tar"]}]
            ).encode(),
            "a/layer.tar": "../layers/low.tar",
            "b/layer.tar": "../a/../layers/low.tar",
            "./layers/low.tar": LOW,
            "c.json": a_config(LOW, LOW),
        }
    )

    (image,) = load(importer, archive)

    assert image.references == ()
    assert [layer.digest for layer in manifest_of(blobs, image).layers] == [Digest.of(LOW)] * 2


@pytest.mark.parametrize(
    ("compress", "media_type"),
    [
        (gzip.compress, media_types.OCI_LAYER_GZIP),
        (zstandard.ZstdCompressor().compress, media_types.OCI_LAYER_ZSTD),
    ],
)
def test_layers_that_are_compressed_stay_so(
    blobs: MemoryBlobStore,
    importer: Importer,
    compress: Callable[[bytes], bytes],
    media_type: str,
) -> None:
    low, high = compress(LOW), compress(HIGH)

    (image,) = load(importer, docker_archive(low, high))

    assert [(layer.media_type, layer.digest) for layer in manifest_of(blobs, image).layers] == [
        (media_type, Digest.of(low)),
        (media_type, Digest.of(high)),
    ]


@pytest.mark.parametrize("compress", [bz2.compress, lzma.compress])
def test_layers_whose_compression_has_no_media_type_are_stored_without(
    blobs: MemoryBlobStore, importer: Importer, compress: Callable[[bytes], bytes]
) -> None:
    (image,) = load(importer, docker_archive(compress(LOW), compress(HIGH)))

    assert [layer.digest for layer in manifest_of(blobs, image).layers] == [
        Digest.of(LOW),
        Digest.of(HIGH),
    ]


@pytest.mark.parametrize("compress", COMPRESSIONS)
def test_a_layer_that_is_not_what_the_config_says_is_refused(
    importer: Importer, compress: Callable[[bytes], bytes]
) -> None:
    with pytest.raises(BlobMismatch):
        load(importer, docker_archive(compress(LOW), compress(LOW)))


def test_archives_from_before_manifests_give_images_too(
    blobs: MemoryBlobStore, importer: Importer
) -> None:
    low = {
        "id": "low",
        "created": "2015-01-01T00:00:00Z",
        "os": "linux",
        "architecture": "amd64",
        "container_config": {"Cmd": ["/bin/sh", "-c", "#(nop) ADD"]},
    }
    high = {
        "id": "high",
        "parent": "low",
        "created": "2015-01-02T00:00:00Z",
        "os": "linux",
        "architecture": "amd64",
        "config": {"Cmd": ["sh"]},
        "author": "me",
        "Size": 5,
    }
    archive = an_archive(
        {
            "low/VERSION": b"1.0",
            "low/json": json.dumps(low).encode(),
            "low/layer.tar": LOW,
            "high/json": json.dumps(high).encode(),
            "high/layer.tar": HIGH,
            "repositories": json.dumps({"app": {"v1": "high", "v2": "high"}}).encode(),
        }
    )

    (image,) = load(importer, archive)

    assert image.references == (APP, ImageReference.parse("app:v2"))
    config = config_of(blobs, image)
    assert config.run.cmd == ("sh",)
    assert config.diff_ids == (DiffID(Digest.of(LOW)), DiffID(Digest.of(HIGH)))
    assert [step.created_by for step in config.history] == ["/bin/sh -c #(nop) ADD", ""]
    assert config.author == "me"
    assert not {"id", "parent", "Size"} & set(config.unknown)


@pytest.mark.parametrize(
    ("annotations", "references"),
    [
        ({REF_NAME: "v1", CONTAINERD_NAME: "docker.io/library/app:v1"}, (APP,)),
        ({REF_NAME: "docker.io/library/app:v1"}, (APP,)),
        ({REF_NAME: "app"}, (ImageReference.parse("app:latest"),)),
        ({REF_NAME: "No Name At All"}, ()),
        ({}, ()),
    ],
)
def test_names_are_found_wherever_others_write_them(
    importer: Importer, annotations: dict[str, str], references: tuple[ImageReference, ...]
) -> None:
    elsewhere = MemoryBlobStore()
    target = an_image(elsewhere, LOW)

    (image,) = load(
        importer, a_layout(elsewhere, Index(manifests=(listed(target, annotations=annotations),)))
    )

    assert image == ArchivedImage(target=target, references=references)


def test_an_archive_that_is_layout_and_docker_archive_gives_the_manifest_with_dockers_names(
    importer: Importer,
) -> None:
    elsewhere = MemoryBlobStore()
    target = an_image(elsewhere, LOW)
    config = f"blobs/sha256/{Digest.of(a_config(LOW)).encoded}"
    archive = io.BytesIO(a_layout(elsewhere, Index(manifests=(target,))))
    content = json.dumps([{"Config": config, "RepoTags": ["app:v1"], "Layers": []}]).encode()
    with tarfile.open(fileobj=archive, mode="a") as members:
        header = tarfile.TarInfo("manifest.json")
        header.size = len(content)
        members.addfile(header, io.BytesIO(content))

    assert load(importer, archive.getvalue()) == [ArchivedImage(target=target, references=(APP,))]


def test_an_index_needs_not_all_of_its_manifests(importer: Importer) -> None:
    elsewhere = MemoryBlobStore()
    image = an_image(elsewhere, LOW)
    absent = Descriptor(media_type=media_types.OCI_MANIFEST, digest=Digest.of(b"?"), size=1)
    index = add(elsewhere, encode_index(Index(manifests=(absent, image))), media_types.OCI_INDEX)

    assert load(importer, a_layout(elsewhere, Index(manifests=(index,)))) == [
        ArchivedImage(target=index)
    ]


def test_layers_of_many_images_are_read_once_each(
    blobs: MemoryBlobStore,
) -> None:
    read: list[bytes] = []

    def decompress(content: BinaryIO) -> Iterator[bytes]:
        start = content.read(4)
        read.append(start)
        content.seek(0)
        return decompressed(content)

    configs = {f"{i}.json": a_config(LOW, HIGH) + b" " * i for i in range(20)}
    entries = [{"Config": name, "RepoTags": None, "Layers": ["low", "high"]} for name in configs]
    files = {
        **configs,
        "low": gzip.compress(LOW),
        "high": bz2.compress(HIGH),
        "manifest.json": json.dumps(entries).encode(),
    }

    images = load(ArchiveImporter(blobs, archive_members, decompress, AMD64), an_archive(files))

    assert len(images) == 20
    assert len(read) == 2


def test_an_archive_is_read_to_its_end(importer: Importer) -> None:
    archive = io.BytesIO(docker_archive(LOW, HIGH) + bytes(3 << 20))
    importer.read(archive)
    assert archive.read() == b""


def test_an_archive_is_read_but_once_from_front_to_back(importer: Importer) -> None:
    class Pipe(io.BytesIO):
        def seek(self, offset: int, whence: int = 0, /) -> int:
            raise io.UnsupportedOperation

        def tell(self) -> int:
            raise io.UnsupportedOperation

    (image,) = importer.read(Pipe(docker_archive(LOW, HIGH)))

    assert image.references == (APP,)


def run(*command: str) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.peers
@pytest.mark.parametrize("transport", ["docker-archive", "oci-archive"])
def test_what_skopeo_writes_is_read(
    transport: str, blobs: MemoryBlobStore, importer: Importer, tmp_path: Path
) -> None:
    elsewhere = MemoryBlobStore()
    image = ArchivedImage(target=an_image(elsewhere, LOW, HIGH), references=(APP,))
    with (tmp_path / "ours.tar").open("wb") as output:
        OciArchiveExporter(elsewhere).export([image], output)
    theirs = f"{transport}:{tmp_path}/theirs.tar:docker.io/library/app:v1"
    run("skopeo", "copy", "--insecure-policy", f"oci-archive:{tmp_path}/ours.tar", theirs)

    with (tmp_path / "theirs.tar").open("rb") as archive:
        (found,) = importer.read(archive)

    assert found.references == (APP,)
    assert config_of(blobs, found).diff_ids == tuple(DiffID(Digest.of(x)) for x in (LOW, HIGH))
    assert (found.target.digest == image.target.digest) == (transport == "oci-archive")
