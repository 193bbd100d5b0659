"""Contract suite of exporters of archives."""

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from img.adapters.blob_store.memory import MemoryBlobStore
from img.application.ports.blob_store import BlobNotFound, BlobStore
from img.application.ports.exporter import ArchivedImage, ArchiveNotWritten, Exporter
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.chain import DiffID
from img.domain.oci.codec import (
    decode_manifest,
    encode_config,
    encode_manifest,
)
from img.domain.oci.config import ImageConfig, RunConfig
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.manifest import Manifest
from img.domain.platform import Platform
from img.domain.reference import ImageReference

APP = ImageReference.parse("app:v1")
OTHER = ImageReference.parse("registry.example/team/other")
AMD64 = Platform("linux", "amd64")


def add(blobs: BlobStore, content: bytes, media_type: str) -> Descriptor:
    writer = blobs.writer()
    writer.write(content)
    return Descriptor(media_type=media_type, digest=writer.commit(), size=len(content))


def a_layer(**files: str) -> bytes:
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        for name, content in files.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content.encode()))
    return layer.getvalue()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    media_types.OCI_LAYER: bytes,
    media_types.OCI_LAYER_GZIP: lambda layer: gzip.compress(layer, mtime=0),
    media_types.OCI_LAYER_ZSTD: zstandard.ZstdCompressor().compress,
}


def an_image(
    blobs: BlobStore,
    *layers: bytes,
    platform: Platform = AMD64,
    media_type: str = media_types.OCI_LAYER_GZIP,
) -> Descriptor:
    config = ImageConfig(
        platform=platform,
        run=RunConfig(cmd=("sh",), env=(("PATH", "/bin"),)),
        diff_ids=tuple(DiffID(Digest.of(layer)) for layer in layers),
    )
    manifest = Manifest(
        config=add(blobs, encode_config(config), media_types.OCI_CONFIG),
        layers=tuple(add(blobs, PACKERS[media_type](layer), media_type) for layer in layers),
    )
    return add(blobs, encode_manifest(manifest), media_types.OCI_MANIFEST)


def named(target: Descriptor, *references: ImageReference) -> ArchivedImage:
    return ArchivedImage(target=target, references=references)


def exported(exporter: Exporter, *images: ArchivedImage) -> bytes:
    output = io.BytesIO()
    exporter.export(images, output)
    return output.getvalue()


def files_of(archive: bytes) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        for member in members:
            if member.isfile():
                content = members.extractfile(member)
                assert content is not None
                assert member.name not in files
                files[member.name] = content.read()
    return files


class Unseekable(io.RawIOBase):
    """A pipe that takes little at a time."""

    def __init__(self) -> None:
        self.content = b""

    def writable(self) -> bool:
        return True

    def write(self, data: "bytes | memoryview") -> int:  # type: ignore[override]
        taken = bytes(data[:1000])
        self.content += taken
        return len(taken)


class ExporterContract:
    """Promises of every Exporter.

    Fixtures: ``blobs``, an empty BlobStore, and ``exporter``, which writes its blobs to tar files.
    """

    def test_the_same_images_give_the_same_bytes(
        self, exporter: Exporter, blobs: MemoryBlobStore
    ) -> None:
        image = named(an_image(blobs, a_layer(a="1"), a_layer(b="2")), APP, OTHER)

        assert exported(exporter, image) == exported(exporter, image)

    def test_a_pipe_will_do(self, exporter: Exporter, blobs: MemoryBlobStore) -> None:
        image = named(an_image(blobs, a_layer(a="1" * 5000)), APP)
        pipe = Unseekable()

        exporter.export([image], pipe)  # type: ignore[arg-type]

        assert pipe.content == exported(exporter, image)
        assert not pipe.closed

    def test_what_images_share_is_written_once(
        self, exporter: Exporter, blobs: MemoryBlobStore
    ) -> None:
        base = a_layer(base="x" * 100_000)
        alone = exported(exporter, named(an_image(blobs, base), APP))

        both = exported(
            exporter,
            named(an_image(blobs, base), APP),
            named(an_image(blobs, base, a_layer(b="2")), OTHER),
        )

        new = 2 if "manifest.json" in files_of(both) else 3  # layer, config; in a layout: manifest
        assert len(files_of(both)) == len(files_of(alone)) + new

    def test_an_output_that_takes_no_more_is_told_as_such(
        self, exporter: Exporter, blobs: MemoryBlobStore
    ) -> None:
        image = named(an_image(blobs, a_layer(a="1")), APP)

        with Path("/dev/full").open("wb", buffering=0) as full, pytest.raises(ArchiveNotWritten):
            exporter.export([image], full)

    def test_a_missing_layer_is_told_before_anything_is_written(
        self, exporter: Exporter, blobs: MemoryBlobStore
    ) -> None:
        target = an_image(blobs, a_layer(a="1"))
        with blobs.open(target.digest) as manifest:
            lost = decode_manifest(manifest.read()).layers[0].digest
        blobs.remove(lost)
        output = io.BytesIO()

        with pytest.raises(BlobNotFound) as missing:
            exporter.export([named(target, APP)], output)

        assert missing.value.digest == lost
        assert output.getvalue() == b""

    def test_a_missing_image_is_told(self, exporter: Exporter, blobs: MemoryBlobStore) -> None:
        target = an_image(blobs)
        blobs.remove(target.digest)

        with pytest.raises(BlobNotFound):
            exported(exporter, named(target, APP))
