"""Retention rules: unreferenced data is garbage, and the least recently used is pruned first."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from datetime import UTC, datetime

from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.chain import ChainID, DiffID, Layer, chain_ids_of
from img.domain.oci.codec import InvalidDocument, decode_config, decode_document
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index
from img.domain.usage import Kind, UsageFilter, UsedItem

ReadBlob = Callable[[Digest], bytes | None]
"""Returns a document's bytes, None where it is not stored; asked for documents only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """The contents of a state besides names and cache records."""

    blobs: frozenset[Digest] = frozenset()
    indexes: frozenset[DiffID] = frozenset()
    snapshots: frozenset[ChainID] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Garbage:
    """The part of ``Stored`` that may be deleted."""

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
        """Keep a manifest or index, and all blobs below it; missing ones are skipped."""
        todo = [target]  # no recursion: the depth has no limit
        while todo:
            target = todo.pop()
            if target.digest not in self.blobs:
                self.blobs.add(target.digest)
                todo += self._below(target)

    def _below(self, target: Descriptor) -> Sequence[Descriptor]:
        """Keep the blobs of a manifest; return the entries of an index."""
        if target.media_type not in media_types.MANIFESTS | media_types.INDEXES:
            return ()  # its references are unknown, and it may be large
        content = self.read(target.digest)
        if content is None:
            return ()
        try:
            document = decode_document(content)
        except InvalidDocument:
            return ()
        if isinstance(document, Index):
            return document.manifests
        self.blobs.update(blob.digest for blob in document.blobs)
        if document.config.media_type in media_types.CONFIGS:
            self._keep_config(document.config.digest)
        return ()

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


@dataclass(frozen=True, slots=True)
class Live:
    """The referenced data."""

    blobs: frozenset[Digest]
    indexes: frozenset[DiffID]
    snapshots: frozenset[ChainID]


def live_in(*, images: Iterable[Descriptor], layers: Iterable[Layer], read: ReadBlob) -> Live:
    """Return the data that ``images``, the targets of names, and ``layers`` of cache records use.

    A cache record does not name the layers below its own, so it keeps no snapshot: snapshots can
    always be unpacked again.
    """
    live = _Live(read)
    for image in images:
        live.keep_image(image)
    for layer in layers:
        live.keep_layer(layer)
    return Live(frozenset(live.blobs), frozenset(live.indexes), frozenset(live.snapshots))


def garbage_in(stored: Stored, live: Live) -> Garbage:
    """Return the part of ``stored`` that is not ``live``."""
    return Garbage(
        blobs=stored.blobs - live.blobs,
        indexes=stored.indexes - live.indexes,
        snapshots=stored.snapshots - live.snapshots,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """The last use of a result or of one on top of it, and the number of steps below it."""

    moment: datetime
    depth: int


def needs_of(results: Mapping[Digest, tuple[datetime, Digest]]) -> Mapping[Digest, Need]:
    """Return the need of each result.

    ``results`` maps definition keys to the last use and the inputs.
    """
    moments: dict[Digest, datetime] = {}
    depths: dict[Digest, int] = {}
    for key, (used, _) in sorted(results.items(), key=lambda item: item[1][0], reverse=True):
        below: list[Digest] = []
        at = key
        while at in results and at not in moments:
            moments[at] = used
            below.append(at)
            at = results[at][1]
        for depth, each in enumerate(reversed(below), depths.get(at, 0) + 1):
            depths[each] = depth
    return {key: Need(moment=moments[key], depth=depths[key]) for key in results}


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunePolicy:
    """The items to delete: all reclaimable ones of ``filter``, or the oldest above a limit.

    ``whole_cache`` includes records of layers that images use, so the next build starts without a
    cache. With ``max_used`` or ``min_free`` items are deleted until the rest is not larger, and so
    much is free. ``reserved`` is always kept. All in bytes. Without ``images``, images without a
    name are kept in any case.
    """

    filter: UsageFilter = UsageFilter()
    kinds: frozenset[Kind] = frozenset({Kind.IMAGE, Kind.LAYER, Kind.SNAPSHOT, Kind.LEFTOVER})
    max_used: int | None = None
    min_free: int | None = None
    reserved: int = 0
    whole_cache: bool = False
    images: bool = True

    @property
    def takes_images(self) -> bool:
        """Return whether images without a name are deleted: only without conditions."""
        without_sizes = self.max_used is None and self.min_free is None and not self.reserved
        return self.images and self.filter == UsageFilter() and without_sizes

    def chosen(self, items: Iterable[UsedItem], free: int) -> Sequence[UsedItem]:
        """Return the ``items`` to delete, in order; ``free`` is the free space of the disk."""
        reclaimable = [item for item in items if item.reclaimable]
        used = sum(item.size for item in reclaimable)
        chosen = []
        for item in sorted(reclaimable, key=_age):
            if item.kind not in self.kinds or not self.filter.matches(item):
                continue
            if self._fits(used, free) or used - item.size < self.reserved:
                continue
            chosen.append(item)
            used -= item.size
            free += item.size
        return chosen

    def _fits(self, used: int, free: int) -> bool:
        if self.max_used is None and self.min_free is None:
            return False
        return (self.max_used is None or used <= self.max_used) and (
            self.min_free is None or free >= self.min_free
        )


def _age(item: UsedItem) -> tuple[int, datetime, bool, int]:
    # Of equally old items, snapshots come first: to unpack is quicker than to build. Then results
    # on top of others, which are not found without those below.
    nothing_lost = item.kind is Kind.LEFTOVER and not item.resumable
    used = max(item.used or _LONG_AGO, item.needed or _LONG_AGO)
    return (0 if nothing_lost else 1, used, item.kind is not Kind.SNAPSHOT, -item.depth)


_LONG_AGO = datetime.fromtimestamp(0, UTC)
