"""The format of ``docker save`` and ``docker load``."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO

from img.adapters.exporter.archive_file import ArchiveFile
from img.adapters.exporter.stored_images import StoredImages
from img.application.ports.blob_store import BlobMismatch, BlobStore
from img.application.ports.exporter import ArchivedImage, Decompress, Exporter
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.oci.chain import Layer
from img.domain.oci.codec import InvalidDocument, decode_config
from img.domain.oci.manifest import Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class _Image:
    config: Digest
    layers: tuple[Layer, ...]
    tags: tuple[str, ...]


class DockerArchiveExporter(Exporter):
    """``manifest.json``, configs and uncompressed layers (moby image/spec v1.2, "Combined Image").

    Layers are named by their DiffIDs. The size of a layer precedes it, and is only known after
    decompressing it: so each layer is decompressed twice, as the output may be a pipe and a layer
    larger than the disk. The format has no indexes.
    """

    def __init__(self, blobs: BlobStore, decompress: Decompress) -> None:
        self._blobs = blobs
        self._stored = StoredImages(blobs)
        self._decompress = decompress

    def export(self, images: Sequence[ArchivedImage], output: BinaryIO) -> None:
        found = [self._image(image) for image in images]
        layers = {layer.diff_id: layer for image in found for layer in image.layers}
        sizes = {layer: self._uncompressed_size(layer) for layer in layers.values()}
        manifest = json.dumps(_manifest(found), separators=(",", ":")).encode()
        archive = ArchiveFile(output)
        archive.add("manifest.json", len(manifest), [manifest])
        for digest in dict.fromkeys(image.config for image in found):
            archive.add(
                _config_path(digest), self._stored.size(digest), self._stored.chunks(digest)
            )
        for layer, size in sizes.items():
            archive.add(_layer_path(layer), size, self._uncompressed(layer))
        archive.finish()

    def _image(self, image: ArchivedImage) -> _Image:
        manifest = self._stored.document(image.target)
        if not isinstance(manifest, Manifest):
            raise InvalidDocument("image manifest", "mediaType", "is an index")
        diff_ids = decode_config(self._stored.content(manifest.config.digest)).diff_ids
        if len(diff_ids) != len(manifest.layers):
            problem = f"{len(diff_ids)} entries for {len(manifest.layers)} layers"
            raise InvalidDocument("image config", "rootfs.diff_ids", problem)
        for blob in manifest.blobs:
            self._stored.check(blob)
        layers = tuple(map(Layer, diff_ids, manifest.layers))
        return _Image(
            config=manifest.config.digest,
            layers=layers,
            # In full: podman would read docker.io's short names as localhost's.
            tags=tuple(str(ref) for ref in image.references if ref.tag and not ref.digest),
        )

    def _uncompressed_size(self, layer: Layer) -> int:
        if layer.descriptor.digest == layer.diff_id:
            return self._stored.size(layer.diff_id)
        content = layer.diff_id.new_hash()
        size = 0
        for chunk in self._uncompressed(layer):
            content.update(chunk)
            size += len(chunk)
        actual = Digest(layer.diff_id.algorithm, content.hexdigest())
        if actual != layer.diff_id:
            raise BlobMismatch(layer.diff_id, actual)
        return size

    def _uncompressed(self, layer: Layer) -> Iterator[bytes]:
        with self._blobs.open(layer.descriptor.digest) as blob:
            yield from self._decompress(blob)


def _manifest(images: Iterable[_Image]) -> list[dict[str, object]]:
    """Return the content of ``manifest.json``: one entry per config, with all its names."""
    tags: dict[Digest, dict[str, None]] = {}
    for image in images:
        tags.setdefault(image.config, {}).update(dict.fromkeys(image.tags))
    unique = {image.config: image for image in images}
    return [
        {
            "Config": _config_path(config),
            "RepoTags": list(tags[config]) or None,
            "Layers": [_layer_path(layer) for layer in image.layers],
        }
        for config, image in unique.items()
    ]


def _config_path(config: Digest) -> str:
    return f"{config.encoded}.json"


def _layer_path(layer: Layer) -> str:
    return f"{layer.diff_id.encoded}/layer.tar"
