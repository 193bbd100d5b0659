"""Contract tests of exporters of archives."""

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from img.adapters.blob_store.memory import MemoryBlobStore
from img.adapters.exporter.docker_archive import DockerArchiveExporter
from img.adapters.exporter.oci_archive import OciArchiveExporter
from img.adapters.layer_archive.compression import decompressed
from img.application.ports.blob_store import BlobMismatch, BlobNotFound, BlobStore
from img.application.ports.exporter import ArchivedImage, Exporter
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.codec import (
    InvalidDocument,
    decode_index,
    decode_manifest,
    encode_index,
    encode_manifest,
)
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index
from img.domain.oci.layout import CONTAINERD_NAME, REF_NAME, check_layout
from img.domain.oci.manifest import Manifest
from img.domain.platform import Platform
from img.testing.exporter import (
    APP,
    OTHER,
    PACKERS,
    ExporterContract,
    a_layer,
    add,
    an_image,
    exported,
    files_of,
    named,
)

Make = Callable[[BlobStore], Exporter]


def docker(blobs: BlobStore) -> Exporter:
    return DockerArchiveExporter(blobs, decompressed)


FORMATS: list[Make] = [OciArchiveExporter, docker]


@pytest.fixture
def blobs() -> MemoryBlobStore:
    return MemoryBlobStore()


@pytest.fixture(params=FORMATS)
def exporter(request: pytest.FixtureRequest, blobs: MemoryBlobStore) -> Exporter:
    made: Exporter = request.param(blobs)
    return made


def test_an_oci_archive_holds_the_very_blobs_and_the_full_names(blobs: MemoryBlobStore) -> None:
    target = an_image(blobs, a_layer(a="1"))

    files = files_of(exported(OciArchiveExporter(blobs), named(target, APP, OTHER)))

    check_layout(files.pop("oci-layout"))
    entries = decode_index(files.pop("index.json")).manifests
    assert [entry.annotations for entry in entries] == [
        {REF_NAME: str(name), CONTAINERD_NAME: str(name)} for name in (APP, OTHER)
    ]
    assert {entry.digest for entry in entries} == {target.digest}
    assert {name: Digest.of(content) for name, content in files.items()} == {
        f"blobs/sha256/{digest.encoded}": digest for digest in blobs.digests()
    }


def test_an_oci_archive_holds_an_index_with_the_manifests_that_are_here(
    blobs: MemoryBlobStore,
) -> None:
    arm = an_image(blobs, a_layer(a="arm"), platform=Platform("linux", "arm64"))
    absent = Descriptor(media_type=media_types.OCI_MANIFEST, digest=Digest.of(b"?"), size=1)
    index = Index(manifests=(absent, arm))
    target = add(blobs, encode_index(index), media_types.OCI_INDEX)

    files = files_of(exported(OciArchiveExporter(blobs), named(target)))

    assert f"blobs/sha256/{arm.digest.encoded}" in files
    assert decode_index(files["index.json"]).manifests == (target,)


def test_of_an_index_at_least_one_manifest_must_be_here(blobs: MemoryBlobStore) -> None:
    absent = Descriptor(media_type=media_types.OCI_MANIFEST, digest=Digest.of(b"?"), size=1)
    target = add(blobs, encode_index(Index(manifests=(absent,))), media_types.OCI_INDEX)

    with pytest.raises(BlobNotFound):
        exported(OciArchiveExporter(blobs), named(target))


@pytest.mark.parametrize("media_type", PACKERS)
def test_a_docker_archive_holds_layers_uncompressed_under_their_diff_ids(
    blobs: MemoryBlobStore, media_type: str
) -> None:
    layers = [a_layer(a="1" * 3000), a_layer(b="2")]
    target = an_image(blobs, *layers, media_type=media_type)

    files = files_of(exported(docker(blobs), named(target, APP, OTHER)))

    ((config, content),) = [item for item in files.items() if item[0].endswith(".json")][1:]
    assert config == f"{hashlib.sha256(content).hexdigest()}.json"
    names = [f"{hashlib.sha256(layer).hexdigest()}/layer.tar" for layer in layers]
    assert [files[name] for name in names] == layers
    assert json.loads(files["manifest.json"]) == [
        {
            "Config": config,
            "RepoTags": [str(APP), str(OTHER)],
            "Layers": names,
        }
    ]


def test_in_a_docker_archive_names_of_one_config_stand_together_and_digests_are_no_names(
    blobs: MemoryBlobStore,
) -> None:
    target = an_image(blobs, a_layer(a="1"))
    pinned = named(target, APP.with_digest(target.digest))

    def tags(*images: ArchivedImage) -> object:
        manifest = json.loads(files_of(exported(docker(blobs), *images))["manifest.json"])
        return [entry["RepoTags"] for entry in manifest]

    assert tags(named(target, APP), named(target, OTHER, APP)) == [[str(APP), str(OTHER)]]
    assert tags(pinned) == [None]


def test_a_docker_archive_of_an_index_is_refused(blobs: MemoryBlobStore) -> None:
    target = add(blobs, encode_index(Index()), media_types.OCI_INDEX)

    with pytest.raises(InvalidDocument):
        exported(docker(blobs), named(target, APP))


def test_a_layer_that_is_not_what_the_config_says_is_refused(blobs: MemoryBlobStore) -> None:
    image = an_image(blobs, a_layer(a="1"))
    with blobs.open(image.digest) as content:
        manifest = decode_manifest(content.read())
    other = add(blobs, gzip.compress(a_layer(a="2")), media_types.OCI_LAYER_GZIP)
    forged = encode_manifest(Manifest(config=manifest.config, layers=(other,)))
    target = add(blobs, forged, media_types.OCI_MANIFEST)

    with pytest.raises(BlobMismatch):
        exported(docker(blobs), named(target, APP))


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[Make], Path]:
    """Return a function that saves an image of two layers, named app:v1, in a format."""

    def save(make: Make) -> Path:
        blobs = MemoryBlobStore()
        target = an_image(blobs, a_layer(a="1", b="2"), a_layer(c="3"))
        path = tmp_path / "image.tar"
        with path.open("wb") as output:
            make(blobs).export([named(target, APP)], output)
        return path

    return save


class TestExporter(ExporterContract):
    pass


def run(*command: str, cwd: Path | None = None) -> str:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


TRANSPORTS = [
    (OciArchiveExporter, "oci-archive:{}:docker.io/library/app:v1"),
    (docker, "docker-archive:{}:docker.io/library/app:v1"),
]


@pytest.mark.peers
@pytest.mark.parametrize(("make", "source"), TRANSPORTS)
def test_skopeo_reads_the_archive(
    make: Make, source: str, saved: Callable[[Make], Path], tmp_path: Path
) -> None:
    found = json.loads(run("skopeo", "inspect", source.format(saved(make))))
    assert found["Architecture"] == "amd64"
    assert found["Env"] == ["PATH=/bin"]
    assert len(found["Layers"]) == 2

    run("skopeo", "copy", "--insecure-policy", source.format(saved(make)), f"oci:{tmp_path}/o:x")
    run("umoci", "unpack", "--rootless", "--image", f"{tmp_path}/o:x", str(tmp_path / "bundle"))
    root = tmp_path / "bundle" / "rootfs"
    assert {path.name: path.read_text() for path in root.iterdir()} == {
        "a": "1",
        "b": "2",
        "c": "3",
    }


@pytest.mark.peers
def test_an_unpacked_oci_archive_is_a_valid_layout(
    saved: Callable[[Make], Path], tmp_path: Path
) -> None:
    layout = tmp_path / "layout"
    layout.mkdir()
    run("tar", "-xf", str(saved(OciArchiveExporter)), "-C", str(layout))

    run("oci-image-tool", "validate", "--type", "image", "--ref", f"name={APP}", str(layout))
    assert "docker.io/library/app:v1" in run("umoci", "ls", "--layout", str(layout))


@pytest.mark.peers
@pytest.mark.parametrize("make", FORMATS)
def test_podman_loads_the_archive(
    make: Make, saved: Callable[[Make], Path], tmp_path: Path
) -> None:
    with tempfile.TemporaryDirectory(prefix="pod") as short:  # podman takes 50 characters at most
        storage = (
            "--root",
            f"{short}/root",
            "--runroot",
            f"{short}/run",
            "--storage-driver",
            "vfs",
        )
        run("podman", *storage, "load", "--input", str(saved(make)))
        listed = run("podman", *storage, "images", "--format", "{{.Repository}}:{{.Tag}}")

    assert "docker.io/library/app:v1" in listed


def test_a_real_pipe_will_do() -> None:
    blobs = MemoryBlobStore()
    layer = a_layer(a="x" * 3_000_000)
    target = an_image(blobs, layer)
    reading, writing = os.pipe()
    received: list[bytes] = []

    def read(source: BinaryIO) -> None:
        received.append(source.read())

    with os.fdopen(reading, "rb") as source, os.fdopen(writing, "wb") as sink:
        reader = threading.Thread(target=read, args=(source,))
        reader.start()
        docker(blobs).export([named(target, APP)], sink)
        sink.close()
        reader.join()

    assert layer in files_of(received[0]).values()


SAVE_LARGE = """
import hashlib, resource, sys, zlib
from pathlib import Path
from img.adapters.blob_store.files import FileBlobStore
from img.adapters.layer_archive.compression import decompressed
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.chain import DiffID
from img.domain.oci.codec import encode_config, encode_manifest
from img.domain.oci.config import ImageConfig
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.manifest import Manifest
from img.testing.exporter import AMD64, APP, add, named
from tests.contracts.test_exporter import docker

blobs = FileBlobStore(Path(sys.argv[1]))
def large(media_type, size=300):
    writer, content, packer = blobs.writer(), hashlib.sha256(), zlib.compressobj(1, wbits=31)
    written = 0
    for chunk in [bytes(1 << 20)] * size:
        content.update(chunk)
        written += writer.write(packer.compress(chunk))
    written += writer.write(packer.flush())
    layer = Descriptor(media_type=media_type, digest=writer.commit(), size=written)
    return DiffID(Digest("sha256", content.hexdigest())), layer
diff_id, layer = large(media_types.OCI_LAYER_GZIP)
config = encode_config(ImageConfig(platform=AMD64, diff_ids=(diff_id,)))
manifest = Manifest(config=add(blobs, config, media_types.OCI_CONFIG), layers=(layer,))
target = add(blobs, encode_manifest(manifest), media_types.OCI_MANIFEST)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with open("/dev/null", "wb") as output:
    docker(blobs).export([named(target, APP)], output)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_memory_stays_flat_however_large_a_layer_is(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SAVE_LARGE, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 20  # MiB, of 300 in the layer
