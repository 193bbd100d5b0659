"""Garbage collection and pruning of the state."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from img.application.housekeeping.inventory import RUNNING, Inventory
from img.application.log import logger
from img.application.ports.blob_origins import BlobOrigins
from img.application.ports.build_history import RecordInUse, RecordNotFound
from img.application.ports.state_lock import Collecting
from img.domain.dataclass import dataclass
from img.domain.oci.chain import ChainID
from img.domain.oci.descriptor import Descriptor
from img.domain.retention import Garbage, Live, PrunePolicy, Stored, garbage_in
from img.domain.usage import Kind, UsedItem

log = logger("housekeeping")


@dataclass(frozen=True, slots=True, kw_only=True)
class Collect:
    """Deletion of unreferenced blobs, indexes and snapshots while other commands run.

    A blob that a running command may use is only marked, and deleted after that command ended.
    """

    inventory: Inventory
    origins: BlobOrigins

    def after_removal(self, freed: Live) -> None:
        """Delete garbage after images were removed, and snapshots that only these images used.

        ``freed`` are the parts of the removed images. Its blobs are deleted even if another program
        stored them.
        """
        with self.inventory.lock.collecting() as collecting:
            assert collecting is not None
            self._delete_expired(collecting)
            garbage = self._garbage()
            self.inventory.trash.claim(garbage.blobs & freed.blobs)
            self._delete(garbage, garbage.snapshots & freed.snapshots, collecting)

    def resume(self) -> None:
        """Delete the marked blobs that no running command can use any more."""
        if any(True for _ in self.inventory.trash.marked_for_deletion()):
            with self.inventory.lock.collecting(wait=False) as collecting:
                if collecting is not None:
                    self._delete_expired(collecting)

    def prune(
        self, policy: PrunePolicy, *, wait: bool = True, former: Sequence[Descriptor] = ()
    ) -> Sequence[UsedItem]:
        """Delete the items that ``policy`` chooses and return them.

        While another collection runs, ``wait``, or delete nothing. ``former`` are images that were
        just removed. Items that a running build may read are marked, and returned as kept by it.
        """
        with self.inventory.lock.collecting(wait=wait) as collecting:
            if collecting is None:
                return []
            self._delete_expired(collecting)
            before = self._garbage()
            items = self.inventory(measured=False, former=former)
            chosen = policy.chosen(items, self.inventory.space.free())
            ids = {item.id for item in chosen}
            self._forget(chosen, everything=policy.whole_cache)
            garbage = self._garbage()
            spared = frozenset(digest for digest in before.blobs if digest.encoded not in ids)
            unlisted = frozenset(
                diff_id for diff_id in before.indexes if diff_id.encoded not in ids
            )
            self._delete(
                Garbage(blobs=garbage.blobs - spared, indexes=garbage.indexes - unlisted),
                frozenset(self._snapshots(chosen)),
                collecting,
            )
            self._clear(chosen)
            waiting = {digest.encoded for _, digest in self.inventory.trash.marked_for_deletion()}
            return [replace(i, kept_by=RUNNING) if i.id in waiting else i for i in chosen]

    def _garbage(self) -> Garbage:
        parts = self.inventory
        stored = Stored(
            blobs=frozenset(parts.blobs.digests()),
            indexes=frozenset(parts.indexes.diff_ids()),
            snapshots=frozenset(self._chain_ids()),
        )
        return garbage_in(stored, parts.live())

    def _chain_ids(self) -> list[ChainID]:
        return [
            chain_id
            for snapshotter in self.inventory.snapshotters
            for chain_id in snapshotter.chain_ids()
        ]

    def _snapshots(self, chosen: Sequence[UsedItem]) -> list[ChainID]:
        ids = {item.id for item in chosen if item.kind is Kind.SNAPSHOT}
        return [chain_id for chain_id in self._chain_ids() if chain_id.encoded in ids]

    def _forget(self, chosen: Sequence[UsedItem], *, everything: bool) -> None:
        """Delete the records of ``chosen``, and aliases of them.

        With ``everything``, delete all records except those that running builds made or found.
        """
        records = dict(self.inventory.cache.records())
        gone = {key for item in chosen for key in item.keys}
        if everything:
            oldest = self.inventory.lock.oldest()
            gone |= {
                key
                for key, record in records.items()
                if oldest is None or record.last_used.timestamp() < oldest
            }
        if not gone:
            return
        left = records.keys() - gone
        aliases = {key for key in left if records[key].alias_of in gone}
        self.inventory.cache.remove([*gone, *aliases])
        if self.inventory.lock.oldest() is None:  # else a running build may still use an origin
            live = self.inventory.live().blobs
            self.origins.remove([each for each in self.origins.digests() if each not in live])

    def _delete(
        self, garbage: Garbage, snapshots: frozenset[ChainID], collecting: Collecting
    ) -> None:
        parts = self.inventory
        for snapshotter in parts.snapshotters:
            for chain_id in snapshots:
                snapshotter.remove(chain_id)
        oldest = parts.lock.oldest()
        if oldest is None:  # else an index may belong to a layer without a record yet
            for diff_id in garbage.indexes:
                parts.indexes.remove(diff_id)
        for digest in garbage.blobs:
            facts = parts.trash.facts(digest)
            if facts is not None and (oldest is None or facts.stored < oldest):
                parts.trash.mark_for_deletion(digest, collecting.generation)
        self._delete_expired(collecting)
        log.debug("collected", blobs=len(garbage.blobs), snapshots=len(snapshots))

    def _delete_expired(self, collecting: Collecting) -> None:
        """Delete the marked blobs that no command can use; blobs that are needed again stay."""
        marked = list(self.inventory.trash.marked_for_deletion())
        if not marked:
            return
        live = self.inventory.live().blobs
        for generation in sorted({generation for generation, _ in marked}):
            if collecting.ended(generation):
                for number, digest in marked:
                    if number == generation and digest in live:
                        self.inventory.blobs.size(digest)  # which restores it
                self.inventory.trash.sweep(generation)

    def _clear(self, chosen: Sequence[UsedItem]) -> None:
        """Delete cache mounts, context views and leftovers."""
        ids = {item.id for item in chosen}
        for item in chosen:
            if item.kind is Kind.CACHE_MOUNT:
                self.inventory.mounts.remove(item.id)
            elif item.kind is Kind.HISTORY:
                with suppress(RecordNotFound, RecordInUse):
                    self.inventory.history.remove(item.id)
            elif item.kind is Kind.SNAPSHOT:
                self.inventory.views.remove(item.id)  # if it is a view
        for leftover in self.inventory.space.leftovers(before=self.inventory.lock.oldest()):
            if leftover.id in ids:
                self.inventory.space.remove(leftover)
