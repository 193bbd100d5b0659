"""Reading of caches from registries, OCI layouts and object stores."""

from collections.abc import Iterable, Iterator, Mapping
from typing import assert_never

from img.application.cache_import.remote import RemoteCacheReader
from img.application.ports.blob_origins import BlobOrigins
from img.application.ports.blob_store import BlobMismatch
from img.application.ports.index_store import IndexStore
from img.application.ports.layer_archive import InvalidLayer, LayerArchive
from img.application.ports.progress_sink import ProgressSink
from img.application.ports.registry import Registry
from img.application.transfer.blobs import Transfer
from img.application.transfer.copy_layout import CopyFromLayout
from img.application.transfer.pull_documents import reporting
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import NotFoundError
from img.domain.graph.exported_cache import (
    CACHE_CONFIG,
    INLINE_FIELD,
    ExportedCache,
    cache_in,
    decode_cache,
)
from img.domain.json_text import MOST_BYTES
from img.domain.oci import media_types
from img.domain.oci.chain import DiffID, Layer
from img.domain.oci.codec import decode_config, decode_index, decode_manifest
from img.domain.oci.descent import descend
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.manifest import Manifest
from img.domain.options.cache import CachePlace, LocalCache, RegistryCache
from img.domain.options.remote_cache import ActionsCache, ObjectStoreCache

_ImagePlace = RegistryCache | LocalCache


class NoCache(NotFoundError):
    """The image of --cache-from has no cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheReader:
    """Caches in registries and layouts, and their layers."""

    registry: Registry
    transfer: Transfer
    indexes: IndexStore
    archive: LayerArchive
    origins: BlobOrigins
    copy: CopyFromLayout
    remote: RemoteCacheReader
    progress: ProgressSink

    def caches(self, place: CachePlace) -> Iterable[tuple[ExportedCache, Mapping[DiffID, Layer]]]:
        """Yield the caches at ``place``, each with its layers; an index may have several.

        Raises ManifestUnknown, RegistryError, RemoteCacheError, LayoutError, InvalidDocument,
        NoCache.
        """
        found = False
        if isinstance(place, ActionsCache | ObjectStoreCache):
            held = self.remote.caches(place)
        else:
            held = self._images(place)
        for cache, layers in held:
            found = True
            yield cache, layers
        if not found:
            raise NoCache(f"{place} holds no cache that img can read")

    def _images(self, place: _ImagePlace) -> Iterator[tuple[ExportedCache, Mapping[DiffID, Layer]]]:
        for manifest in self._manifests(place):
            if (held := self._cache(place, manifest)) is None:
                continue
            diff_ids, cache = held
            layers = {
                diff_id: Layer(diff_id, blob)
                for diff_id, blob in zip(diff_ids, manifest.layers, strict=False)
            }
            if isinstance(place, RegistryCache):
                digests = [layer.descriptor.digest for layer in layers.values()]
                self.origins.add(place.reference.repository, digests)
            yield cache, layers

    def is_there(self, place: CachePlace, layer: Layer) -> bool:
        """Return whether the layer can be fetched later, when its bytes are needed (Layers).

        Raises RegistryError, RemoteCacheError.
        """
        match place:
            case _ if self.is_here(layer):
                return True
            case RegistryCache(reference=reference):
                return self.registry.has_blob(reference, layer.descriptor.digest)
            case ActionsCache() | ObjectStoreCache():
                return self.remote.has(place, layer)
            case LocalCache():
                return False
            case _:
                assert_never(place)

    def is_here(self, layer: Layer) -> bool:
        """Return whether the layer is in the store."""
        return self.copy.blobs.size(layer.descriptor.digest) == layer.descriptor.size

    def fetch(self, place: CachePlace, layer: Layer, title: str) -> None:
        """Fetch the layer into the store and verify it.

        Raises RegistryError, RemoteCacheError, LayoutError, BlobMismatch, InvalidLayer, StoreFull.
        """
        match place:
            case RegistryCache(reference=reference):
                with reporting(self.progress, title, reference) as report:
                    self.transfer.pull_layers(reference, (layer,), report)
            case LocalCache(path=path):
                self.copy.blob(path, layer.descriptor)
                with self.copy.blobs.open(layer.descriptor.digest) as content:
                    diff_id, index = self.archive.index(content, layer.descriptor.digest)
                if diff_id != layer.diff_id:
                    raise InvalidLayer(f"{layer.descriptor.digest} in {path} unpacks to {diff_id}")
                self.indexes.put(diff_id, index)
            case ActionsCache() | ObjectStoreCache():
                self.remote.fetch(place, layer, title)
            case _:
                assert_never(place)

    def _manifests(self, place: _ImagePlace) -> Iterable[Manifest]:
        match place:
            case RegistryCache(reference=reference):
                target = self.registry.resolve(reference)
            case LocalCache(path=path, tag=tag, digest=digest):
                target = self.copy.layouts.find(path, tag, digest)[0]
            case _:
                assert_never(place)
        contents: dict[Digest, bytes] = {}

        def entries(target: Descriptor) -> Iterable[Descriptor]:
            if target.media_type in media_types.INDEXES:
                return decode_index(self._document(place, target)).manifests
            if target.media_type in media_types.MANIFESTS:
                contents[target.digest] = self._document(place, target)
            return ()  # an index of a BuildKit cache has the layers

        for found in descend(target, entries):
            if content := contents.pop(found.digest, None):
                yield decode_manifest(content)

    def _cache(
        self, place: _ImagePlace, manifest: Manifest
    ) -> tuple[tuple[DiffID, ...], ExportedCache] | None:
        """Return the cache of a manifest, and its layers, lowest first."""
        kind = manifest.config.media_type
        if kind == CACHE_CONFIG:
            cache = decode_cache(self._blob(place, manifest.config))
            return cache.diff_ids, cache
        if kind in media_types.CONFIGS:
            config = decode_config(self._blob(place, manifest.config))
            if INLINE_FIELD in config.unknown:
                return config.diff_ids, cache_in(config.unknown[INLINE_FIELD])
        return None

    def _document(self, place: _ImagePlace, target: Descriptor) -> bytes:
        if isinstance(place, RegistryCache):
            return self.registry.manifest(place.reference, target)
        return self._blob(place, target)

    def _blob(self, place: _ImagePlace, blob: Descriptor) -> bytes:
        match place:
            case RegistryCache(reference=reference):
                return self.transfer.pull_blob(reference, blob)
            case LocalCache(path=path):
                with self.copy.layouts.open(path, blob) as stream:
                    content = stream.read(MOST_BYTES + 1)
                if (actual := Digest.of(content)) != blob.digest:
                    raise BlobMismatch(blob.digest, actual)
                return content
            case _:
                assert_never(place)
