"""The items in the state: their disk usage, their use, and whether they can be deleted."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import field
from datetime import UTC, datetime

from img.application.ports.blob_store import BlobStore, BlobTrash
from img.application.ports.build_history import BuildHistory
from img.application.ports.cache_mounts import CacheMounts
from img.application.ports.cache_store import CacheRecord, CacheStore
from img.application.ports.context_views import ContextViews
from img.application.ports.image_store import ImageStore
from img.application.ports.index_store import IndexStore
from img.application.ports.snapshotter import Snapshotter
from img.application.ports.state_lock import StateLock
from img.application.ports.state_space import StateSpace
from img.application.transfer.catalog import Catalog
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import ImgError
from img.domain.graph.provenance import content_on
from img.domain.json_text import MOST_BYTES
from img.domain.oci.chain import ChainID, DiffID, chain_ids_of
from img.domain.oci.codec import decode_config
from img.domain.oci.descriptor import Descriptor
from img.domain.retention import Live, Need, live_in, needs_of
from img.domain.usage import Kind, UsedItem

RUNNING = "running builds"
_OTHERS = "another program"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """A list of all items in the state."""

    images: ImageStore
    blobs: BlobStore
    trash: BlobTrash
    cache: CacheStore
    indexes: IndexStore
    snapshotters: Sequence[Snapshotter]
    mounts: CacheMounts
    views: ContextViews
    space: StateSpace
    lock: StateLock
    catalog: Catalog
    history: BuildHistory

    def __call__(
        self,
        *,
        measured: bool = True,
        without: Collection[Digest] = (),
        former: Sequence[Descriptor] = (),
    ) -> Sequence[UsedItem]:
        """Return all items in any order. Without ``measured``, some sizes are estimates.

        The sum of measured sizes is the disk usage of the state. Images without a name that have
        the digests ``without`` count as removed. Items that only ``former`` images use are
        described as theirs and can be deleted.
        """
        oldest = self.lock.oldest()
        taken = _Taking(self, without, former)
        items = [
            *taken.blobs(oldest),
            *taken.indexes(oldest),
            *self._marked(),
            *self._snapshots(taken, measured),
            *self._views(measured),
            *self._mounts(measured),
            *self._leftovers(oldest),
            *self._records(),
        ]
        if measured:
            items.append(self._rest(sum(item.size for item in items)))
        return items

    def live(self) -> Live:
        """Return the digests that names and cache records refer to."""
        records = (record for _, record in self.cache.records())
        return live_in(
            images=self.images.targets(),
            layers=[record.layer for record in records if record.layer is not None],
            read=self.read,
        )

    def read(self, digest: Digest) -> bytes | None:
        """Return a document, None if it is missing or damaged."""
        try:
            with self.blobs.open(digest) as content:
                return content.read(MOST_BYTES + 1)  # longer JSON is refused
        except ImgError:
            return None

    def estimate(self) -> int:
        """Return the approximate disk usage in bytes without small items; quick."""
        facts = (self.trash.facts(digest) for digest in self.blobs.digests())
        total = sum(fact.room for fact in facts if fact is not None)
        total += sum(
            snapshotter.size(chain_id)
            for snapshotter in self.snapshotters
            for chain_id in snapshotter.chain_ids()
        )
        total += sum(kept.size for kept in self.views.kept(measured=False))
        return total + sum(kept.size for kept in self.mounts.kept(measured=False))

    def _marked(self) -> Iterator[UsedItem]:
        for _, digest in self.trash.marked_for_deletion():
            facts = self.trash.facts(digest)
            yield UsedItem(
                id=digest.encoded,
                kind=Kind.LEFTOVER,
                size=facts.room if facts else 0,
                description="to be deleted",
                kept_by=RUNNING,
            )

    def _snapshots(self, taken: "_Taking", measured: bool) -> Iterator[UsedItem]:
        for snapshotter in self.snapshotters:
            for chain_id in snapshotter.chain_ids():
                facts = snapshotter.facts(chain_id)
                name = taken.chains.get(chain_id) or taken.steps.get(chain_id)
                yield UsedItem(
                    id=chain_id.encoded,
                    kind=Kind.SNAPSHOT,
                    size=snapshotter.usage(chain_id) if measured else facts.size,
                    description=f"unpacked layers of {name}" if name else "unpacked layers",
                    kept_by=RUNNING if facts.in_use else "",
                    used=_moment(facts.used),
                )

    def _views(self, measured: bool) -> Iterator[UsedItem]:
        for kept in self.views.kept(measured=measured):
            yield UsedItem(
                id=kept.id,
                kind=Kind.SNAPSHOT,
                size=kept.size,
                description="files of a build context",
                kept_by=RUNNING if kept.in_use else "",
                used=_moment(kept.used),
            )

    def _mounts(self, measured: bool) -> Iterator[UsedItem]:
        for kept in self.mounts.kept(measured=measured):
            yield UsedItem(
                id=kept.id,
                kind=Kind.CACHE_MOUNT,
                size=kept.size,
                description=f"cache mount {kept.name}".strip(),
                kept_by=RUNNING if kept.in_use else "",
                used=_moment(kept.used),
            )

    def _leftovers(self, oldest: float | None) -> Iterator[UsedItem]:
        for leftover in self.space.leftovers(before=oldest):
            yield UsedItem(
                id=leftover.id,
                kind=Kind.LEFTOVER,
                size=leftover.size,
                description=leftover.description,
                used=_moment(leftover.changed),
                resumable=leftover.resumable,
            )

    def _records(self) -> Iterator[UsedItem]:
        for stored in self.history.records():
            yield UsedItem(
                id=stored.id,
                kind=Kind.HISTORY,
                size=self.history.size(stored.id),
                description="record of a build",
                kept_by=RUNNING if self.history.is_running(stored.id) else "",
                created=_moment(stored.started),
                used=_moment(stored.started),
            )

    def _rest(self, known: int) -> UsedItem:
        return UsedItem(
            id="state",
            kind=Kind.STATE,
            size=max(self.space.total() - known, 0),
            description="names, cache records, locks, directories",
            kept_by="img",
        )


@dataclass(slots=True)
class _Taking:
    """The names and records at one time, and the blobs that they refer to."""

    parts: Inventory
    without: Collection[Digest]
    former: Sequence[Descriptor]
    were: set[Digest] = field(default_factory=set)  # parts of former images
    names: dict[Digest, str] = field(default_factory=dict)  # of images, by their blobs
    descriptions: dict[Digest, str] = field(default_factory=dict)
    diff_ids: dict[Digest, DiffID] = field(default_factory=dict)
    chains: dict[ChainID, str] = field(default_factory=dict)  # of images, by their layers
    steps: dict[ChainID, str] = field(default_factory=dict)
    records: dict[Digest, list[tuple[Digest, CacheRecord]]] = field(default_factory=dict)
    needs: Mapping[Digest, Need] = field(default_factory=dict)

    def __post_init__(self) -> None:
        made = {}
        for key, record in self.parts.cache.records():
            if record.made_from:
                root, content = next(iter(record.made_from.items()))
                made[key] = (record.last_used, root)
                if record.layer is not None:
                    chain_id = ChainID(content_on(content, record.layer.diff_id))
                    self.steps[chain_id] = record.description
            if record.layer is not None:
                digest = record.layer.descriptor.digest
                self.records.setdefault(digest, []).append((key, record))
                self.descriptions[digest] = record.description
                self.diff_ids[digest] = record.layer.diff_id
        self.needs = needs_of(made)
        for image in self.parts.images.list():
            if image.name in self.without:
                continue
            self._take_image(image.target, str(image.name))
        for target in self.parts.images.targets():
            if target.digest not in self.names and target.digest not in self.without:
                self._take_image(target, _OTHERS)
        for target in self.former:
            self._take_former(target)

    def blobs(self, oldest: float | None) -> Iterator[UsedItem]:
        indexed: set[DiffID] = set()
        for digest in self.parts.blobs.digests():
            facts = self.parts.trash.facts(digest)
            if facts is None:
                continue
            size = facts.room
            diff_id = self.diff_ids.get(digest)
            if diff_id is not None and diff_id not in indexed:
                indexed.add(diff_id)
                size += self.parts.indexes.size(diff_id)
            kept_by = self.names.get(digest, "" if facts.ours else _OTHERS)
            known = self.records.get(digest, [])
            if not kept_by and oldest is not None and _since(oldest, facts.stored, known):
                kept_by = RUNNING
            needs = [self.needs[key] for key, _ in known if key in self.needs]
            yield UsedItem(
                id=digest.encoded,
                kind=_kind(named=digest in self.names or digest in self.were, cached=bool(known)),
                size=size,
                description=self.descriptions.get(digest, "no image and no step leads to it"),
                kept_by=kept_by,
                created=_moment(facts.stored or None),
                used=_last_used(known) or _moment(facts.stored or None),
                uses=max((record.uses for _, record in known), default=0),
                keys=tuple(key for key, _ in known),
                needed=max((need.moment for need in needs), default=None),
                depth=min((need.depth for need in needs), default=0),
            )

    def indexes(self, oldest: float | None) -> Iterator[UsedItem]:
        known = set(self.diff_ids.values())
        for diff_id in self.parts.indexes.diff_ids():
            if diff_id not in known:
                yield UsedItem(
                    id=diff_id.encoded,
                    kind=Kind.LEFTOVER,
                    size=self.parts.indexes.size(diff_id),
                    description="list of the files of a layer",
                    kept_by=RUNNING if oldest is not None else "",
                )

    def _take_former(self, target: Descriptor) -> None:
        """Describe the parts of a removed image; its indexes are items of their own."""
        if target.digest in self.names:
            return  # the image has another name
        live = live_in(images=[target], layers=[], read=self.parts.read)
        self.were |= live.blobs
        for digest in live.blobs:
            self.descriptions.setdefault(digest, f"part of image {target.digest}")
        self.descriptions[target.digest] = f"image {target.digest}"

    def _take_image(self, target: Descriptor, name: str) -> None:
        live = live_in(images=[target], layers=[], read=self.parts.read)
        for digest in live.blobs:
            self.names.setdefault(digest, name)
            self.descriptions.setdefault(digest, f"part of {name}")
        self.descriptions[target.digest] = f"image {name}"
        try:
            self._describe(target, name)
        except ImgError:
            return  # a damaged image, which `img ls` reports

    def _describe(self, target: Descriptor, name: str) -> None:
        catalog = self.parts.catalog
        for manifest in catalog.manifests(target):
            if manifest.digest != target.digest:
                self._say(manifest.digest, f"manifest of {name}")
            document = catalog.manifest(manifest)
            self._say(document.config.digest, f"config of {name}")
            diff_ids = decode_config(catalog.read(document.config)).diff_ids
            for layer, diff_id in zip(document.layers, diff_ids, strict=False):
                self._say(layer.digest, f"pulled from {name}")
                self.diff_ids.setdefault(layer.digest, diff_id)
            for chain_id in chain_ids_of(diff_ids):
                self.chains.setdefault(chain_id, name)

    def _say(self, digest: Digest, description: str) -> None:
        if self.descriptions.get(digest, "part of").startswith("part of"):
            self.descriptions[digest] = description


def _kind(*, named: bool, cached: bool) -> Kind:
    if named:
        return Kind.IMAGE
    return Kind.LAYER if cached else Kind.LEFTOVER


def _last_used(known: Sequence[tuple[Digest, CacheRecord]]) -> datetime | None:
    return max((record.last_used for _, record in known), default=None)


def _since(oldest: float, stored: float, known: Sequence[tuple[Digest, CacheRecord]]) -> bool:
    """Return whether a command that began at ``oldest`` may have made or found a blob."""
    used = _last_used(known)
    return stored >= oldest or (used is not None and used.timestamp() >= oldest)


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
