"""What may be forgotten: that which no image and no cache record leads to."""

from collections.abc import Callable, Iterable
from dataclasses import field

from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.chain import ChainID, DiffID, Layer, chain_ids_of
from img.domain.oci.codec import InvalidDocument, decode_config, decode_document
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index

ReadBlob = Callable[[Digest], bytes | None]
"""Returns a document's bytes, None where it is not stored; asked for documents only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """All that a state holds beside names and cache records."""

    blobs: frozenset[Digest] = frozenset()
    indexes: frozenset[DiffID] = frozenset()
    snapshots: frozenset[ChainID] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Garbage:
    """The part of it that may go."""

    blobs: frozenset[Digest] = frozenset()
    indexes: frozenset[DiffID] = frozenset()
    snapshots: frozenset[ChainID] = frozenset()


@dataclass(slots=True)
class _Live:
    read: ReadBlob
    blobs: set[Digest] = field(default_factory=set)
    indexes: set[DiffID] = field(default_factory=set)
    snapshots: set[ChainID] = field(default_factory=set)

    def keep_image(self, target: Descriptor) -> None:
        """Keep a manifest or index, and all below it; what is missing is no matter here."""
        if target.digest in self.blobs:
            return
        self.blobs.add(target.digest)
        if target.media_type not in media_types.MANIFESTS | media_types.INDEXES:
            return  # what it leads to nobody knows, and it may be large
        content = self.read(target.digest)
        if content is None:
            return
        try:
            document = decode_document(content)
        except InvalidDocument:
            return
        if isinstance(document, Index):
            for manifest in document.manifests:
                self.keep_image(manifest)
            return
        self.blobs.update(blob.digest for blob in document.blobs)
        if document.config.media_type in media_types.CONFIGS:
            self._keep_config(document.config.digest)

    def keep_layer(self, layer: Layer) -> None:
        """Keep a layer that a cache record names."""
        self.blobs.add(layer.descriptor.digest)
        self.indexes.add(layer.diff_id)

    def _keep_config(self, digest: Digest) -> None:
        content = self.read(digest)
        if content is None:
            return
        try:
            diff_ids = decode_config(content).diff_ids
        except InvalidDocument:
            return
        self.indexes.update(diff_ids)
        self.snapshots.update(chain_ids_of(diff_ids))


def garbage_in(
    stored: Stored,
    *,
    images: Iterable[Descriptor],
    layers: Iterable[Layer],
    read: ReadBlob,
    snapshots: Iterable[ChainID] = (),
) -> Garbage:
    """Return what of ``stored`` nothing leads to.

    ``images`` are the targets of all names, ``layers`` those of the cache records that are kept,
    ``snapshots`` those to keep for another reason. A cache record does not say what its layer
    stands on, so it keeps no snapshot: one can always be unpacked again.
    """
    live = _Live(read)
    for image in images:
        live.keep_image(image)
    for layer in layers:
        live.keep_layer(layer)
    live.snapshots.update(snapshots)
    return Garbage(
        blobs=stored.blobs - live.blobs,
        indexes=stored.indexes - live.indexes,
        snapshots=stored.snapshots - live.snapshots,
    )
