"""Layers with another compression or other times, but the same files."""

import io
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from img.application.layers.trees import Trees
from img.application.ports.blob_store import BlobStore
from img.application.ports.cache_store import CacheRecord
from img.application.ports.clock import Clock
from img.application.ports.layer_archive import LayerArchive, PackedEntry
from img.application.solver.lookup import Lookup
from img.application.threads import threads
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.filesystem.entry import FILE
from img.domain.filesystem.file_index import FileIndex
from img.domain.oci import media_types
from img.domain.oci.chain import Layer
from img.domain.oci.compression import USUAL, Compression
from img.domain.outputs import ImageForm

_PARALLEL = 2  # layers at once; each uses several threads
_SECOND = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerVariants:
    """Layers in the form of an output, made once and kept in the cache."""

    archive: LayerArchive
    blobs: BlobStore
    trees: Trees
    lookup: Lookup
    clock: Clock

    def __call__(
        self, layers: Sequence[Layer], base: int, form: ImageForm, epoch: int | None
    ) -> tuple[Layer, ...]:
        """Return ``layers`` in ``form``; the lowest ``base`` layers are those of the base image.

        Layers of the base keep their files, and their compression unless ``form`` forces it.
        ``epoch`` is in seconds. Raises BlobNotFound, InvalidLayer, StoreFull.
        """

        def in_form(place: tuple[int, Layer]) -> Layer:
            depth, layer = place
            own = depth >= base
            compression = form.compression if own or form.force_compression else None
            if own and form.rewrite_timestamp and epoch is not None:
                layer = self._rewritten(layer, epoch, compression or USUAL)
            return layer if compression is None else self._recompressed(layer, compression)

        with threads(_PARALLEL, "variant") as pool:
            return tuple(pool.map(in_form, enumerate(layers)))

    def recompressed(self, layers: Sequence[Layer], compression: Compression) -> tuple[Layer, ...]:
        """Return ``layers`` compressed so. Raises BlobNotFound, InvalidLayer, StoreFull."""
        with threads(_PARALLEL, "variant") as pool:
            return tuple(pool.map(lambda layer: self._recompressed(layer, compression), layers))

    def _recompressed(self, layer: Layer, compression: Compression) -> Layer:
        media_type = layer.descriptor.media_type
        if layer.descriptor.urls or media_type == media_types.DOCKER_FOREIGN_LAYER:
            return layer  # a nondistributable layer is not changed
        stored_so = media_types.oci_layer_type(media_type) == compression.algorithm.media_type
        key = _key(f"{layer.diff_id} as {compression}")
        known = self.lookup(key)
        if known is not None and known.layer is not None:
            return known.layer
        if stored_so and compression.level is None:
            return layer
        with self.trees.layers.open(layer) as content:
            made = self.archive.recompress(content, self.blobs.writer(), layer.diff_id, compression)
        self._remember(key, made, f"layer as {compression}")
        return made

    def _rewritten(self, layer: Layer, epoch: int, compression: Compression) -> Layer:
        """Return the layer with no mtime later than ``epoch``."""
        index = self.trees.index_of(layer)
        if all(entry.mtime // _SECOND <= epoch for entry in index):
            return layer
        key = _key(f"{layer.diff_id} until {epoch} as {compression}")
        known = self.lookup(key)
        if known is not None and known.layer is not None:
            return known.layer
        with self.trees.layers.open(layer) as content:
            packed = self.archive.pack(
                self._packed(index, content),
                self.blobs.writer(),
                epoch=epoch,
                compression=compression,
            )
        self.trees.indexes.put(packed.layer.diff_id, packed.index)
        self._remember(key, packed.layer, "layer with times rewritten")
        return packed.layer

    def _packed(self, index: FileIndex, layer: BinaryIO) -> Iterator[PackedEntry]:
        """Yield the entries of ``index`` in their order, which is that of the contents too."""
        wanted = {entry.offset: entry.size for entry in index if entry.kind == FILE and entry.size}
        contents = self.archive.contents(layer, wanted)
        for entry in index:
            if entry.offset in wanted:
                _, content = next(contents)
                yield PackedEntry.opened(entry, content)
            else:
                yield PackedEntry(entry=entry, open=io.BytesIO)

    def _remember(self, key: Digest, layer: Layer, description: str) -> None:
        record = CacheRecord(layer=layer, created=self.clock.now(), description=description)
        self.lookup.remember(record, key)


def _key(text: str) -> Digest:
    return Digest.of(f"variant {text}".encode())
