"""Archives of images, made for tests."""

import gzip
import io
import json
import tarfile
from collections.abc import Collection, Mapping
from dataclasses import replace

from img.adapters.blob_store.memory import MemoryBlobStore
from img.application.ports.blob_store import BlobStore
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.chain import DiffID
from img.domain.oci.codec import decode_manifest, encode_config, encode_index, encode_manifest
from img.domain.oci.config import ImageConfig, RunConfig
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index
from img.domain.oci.layout import LAYOUT_CONTENT, blob_path
from img.domain.oci.manifest import Manifest
from img.domain.platform import Platform

AMD64 = Platform("linux", "amd64")
ARM64 = Platform("linux", "arm64")
UNKNOWN = Platform("unknown", "unknown")
IN_TOTO = "application/vnd.in-toto+json"

NOTHING: Mapping[str, str] = {}
Files = Mapping[str, bytes | str]  # text: where a link leads


def an_archive(files: Files) -> bytes:
    """Return a tar of ``files`` in their order."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as members:
        for name, content in files.items():
            header = tarfile.TarInfo(name)
            if isinstance(content, str):
                header.type = tarfile.SYMTYPE
                header.linkname = content
                members.addfile(header)
            else:
                header.size = len(content)
                members.addfile(header, io.BytesIO(content))
    return archive.getvalue()


LOW = an_archive({"a": b"low"})
HIGH = an_archive({"b": b"high" * 1000})


def a_config(*layers: bytes, platform: Platform = AMD64) -> bytes:
    """Return the config of an image of ``layers``, which are not compressed."""
    diff_ids = tuple(DiffID(Digest.of(layer)) for layer in layers)
    run = RunConfig(cmd=("sh",))
    features = platform.os_features
    return encode_config(
        ImageConfig(platform=platform, run=run, diff_ids=diff_ids, os_features=features)
    )


def add(blobs: BlobStore, content: bytes, media_type: str) -> Descriptor:
    """Store ``content``, and return what names it."""
    writer = blobs.writer()
    writer.write(content)
    return Descriptor(media_type=media_type, digest=writer.commit(), size=len(content))


def an_image(
    blobs: BlobStore, *layers: bytes, platform: Platform = AMD64, compressed: bool = True
) -> Descriptor:
    """Store an image, and return what names its manifest."""
    manifest = Manifest(
        config=add(blobs, a_config(*layers, platform=platform), media_types.OCI_CONFIG),
        layers=tuple(
            add(blobs, gzip.compress(layer, mtime=0), media_types.OCI_LAYER_GZIP)
            if compressed
            else add(blobs, layer, media_types.OCI_LAYER)
            for layer in layers
        ),
    )
    return add(blobs, encode_manifest(manifest), media_types.OCI_MANIFEST)


def an_index(blobs: BlobStore, *manifests: Descriptor) -> Descriptor:
    """Store an index, and return what names it."""
    return add(blobs, encode_index(Index(manifests=manifests)), media_types.OCI_INDEX)


def a_layout(
    blobs: MemoryBlobStore,
    index: Index | bytes,
    *,
    without: Collection[Digest] = (),
    more: Files | None = None,
) -> bytes:
    """Return an archive of all ``blobs`` but those ``without``, and of ``more`` files."""
    files: dict[str, bytes | str] = {
        "oci-layout": LAYOUT_CONTENT,
        "index.json": index if isinstance(index, bytes) else encode_index(index),
    }
    for digest in blobs.digests():
        if digest not in without:
            with blobs.open(digest) as content:
                files[blob_path(digest)] = content.read()
    return an_archive({**files, **(more or {})})


def listed(
    target: Descriptor, platform: Platform | None = None, annotations: Mapping[str, str] = NOTHING
) -> Descriptor:
    """Return ``target`` as an index lists it."""
    return replace(target, annotations=annotations, platform=platform)


def manifest_json(*layers: bytes, name: str = "app:1", platform: Platform = AMD64) -> Files:
    """Return the manifest.json that docker 25 writes beside a layout."""
    entry = {
        "Config": blob_path(Digest.of(a_config(*layers, platform=platform))),
        "RepoTags": [name],
        "Layers": [blob_path(Digest.of(layer)) for layer in layers],
    }
    return {"manifest.json": json.dumps([entry]).encode()}


def docker_archive(*layers: bytes, tags: object = ("app:v1",), **more: bytes | str) -> bytes:
    """Return an archive as of `docker save`, with an image of two ``layers`` and ``more`` files."""
    config = a_config(LOW, HIGH)
    entry = {"Config": "config.json", "RepoTags": tags, "Layers": ["low/layer.tar", "high.tar"]}
    files = {
        "low/layer.tar": layers[0],
        "high.tar": layers[1],
        "config.json": config,
        "manifest.json": json.dumps([entry]).encode(),
    }
    return an_archive({**files, **more})


def without_layers(blobs: BlobStore, target: Descriptor) -> Descriptor:
    """Store the manifest once more, without its layers, as docker 25.0 wrote some."""
    with blobs.open(target.digest) as content:
        manifest = decode_manifest(content.read())
    return add(blobs, encode_manifest(replace(manifest, layers=())), media_types.OCI_MANIFEST)


def an_attestation(blobs: BlobStore) -> Descriptor:
    """Store an attestation as BuildKit writes them, and return what an index says of it."""
    statement = add(blobs, b"{}", IN_TOTO)
    config = add(blobs, a_config(b"{}", platform=UNKNOWN), media_types.OCI_CONFIG)
    manifest = encode_manifest(Manifest(config=config, layers=(statement,)))
    return replace(add(blobs, manifest, media_types.OCI_MANIFEST), platform=UNKNOWN)


def an_artifact(blobs: BlobStore) -> Descriptor:
    """Store a manifest that is of no image."""
    config = add(blobs, b"{}", "application/vnd.oci.empty.v1+json")
    manifest = Manifest(config=config, layers=(config,), artifact_type="application/x.chart")
    return add(blobs, encode_manifest(manifest), media_types.OCI_MANIFEST)


def a_buildkit_cache(blobs: BlobStore) -> Descriptor:
    """Store an index of layers, as BuildKit writes its caches."""
    config = add(blobs, b"{}", "application/vnd.buildkit.cacheconfig.v0")
    return an_index(blobs, add(blobs, LOW, media_types.OCI_LAYER), config)
