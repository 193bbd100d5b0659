"""Entries of the layer of a COPY, with their contents."""

from collections.abc import Iterator, Mapping
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING

from img.application.ports.blob_store import BlobDamaged, BlobStore
from img.application.ports.layer_archive import (
    FormerLayer,
    InvalidLayer,
    LayerArchive,
    PackedEntry,
    PackedLayer,
)
from img.application.solver.lookup import FormerLayers
from img.application.solver.sources import Source
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.filesystem.changes import refuse_reserved
from img.domain.filesystem.entry import FILE
from img.domain.filesystem.file_index import WHITEOUT_PREFIX, FileIndex
from img.domain.filesystem.selection import Selection
from img.domain.filesystem.target import Selected

if TYPE_CHECKING:
    from img.application.solver.archives import Archives


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiedEntries:
    """The entries ``placed`` of a layer, from a source, its archives, and inline texts by name."""

    placed: Selection
    source: Source
    texts: Mapping[str, bytes]
    archives: "Archives | None"
    archive: LayerArchive
    blobs: BlobStore
    former: FormerLayers

    def pack(self, key: Digest | None, *, epoch: int | None) -> PackedLayer:
        """Write the layer; ``key`` is that of the last layer of this step, which has members.

        Raises ReservedName.
        """
        return self._packed(None, epoch) if key is None else self._packed_again(key, epoch)

    def _packed_again(self, key: Digest, epoch: int | None) -> PackedLayer:
        """Pack with the members of the last layer of this step, and record the new one."""
        with self.former.open(key) as former:
            try:
                packed = self._packed(former, epoch)
            except (BlobDamaged, InvalidLayer):
                if former is None:
                    raise
                packed = self._packed(None, epoch)
        if packed.index.members is not None:
            self.former.note(key, packed.layer, "COPY of many files")
        return packed

    def _packed(self, former: FormerLayer | None, epoch: int | None) -> PackedLayer:
        return self.archive.pack(self._packable(), self.blobs.writer(), epoch=epoch, former=former)

    def checked(self, digests: Mapping[str, str], *, epoch: int | None) -> list[PackedEntry]:
        """Return the entries with all digests: ``digests`` are those by path in the source.

        A content with another digest raises ContextFileChanged at its end. Raises ReservedName.
        """
        latest = None if epoch is None else epoch * 10**9
        pairs = zip(self.placed.items, self._packable(), strict=True)
        return [_checked(item, packed, digests, latest) for item, packed in pairs]

    def learned(self, index: FileIndex, *, known: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Yield the digests that were computed for ``index``, the packed layer.

        Each is after its path in the source; those that are ``known`` are left out.
        """
        for (source, entry, member), written in zip(self.placed.items, index, strict=True):
            if (
                source is not None
                and entry[1] == FILE
                and entry[5]
                and not entry[10]
                and not member
                and source not in known
            ):
                yield source, written[10]

    def _packable(self) -> Iterator[PackedEntry]:
        reading = [
            item.source
            for item in self.placed.items
            if item.source is not None and not item.member and _has_content(item)
        ]
        open_file = self.source.contents(reading)
        for item in self.placed.items:
            source, entry, member = item
            if WHITEOUT_PREFIX in entry[0] and not item.is_deletion:
                refuse_reserved(entry[0])
            if entry[1] != FILE or not entry[5]:
                yield PackedEntry(entry)
            elif source is None:
                yield PackedEntry(entry, partial(BytesIO, self.texts[member]))
            elif member:
                assert self.archives is not None
                yield PackedEntry(entry, partial(self.archives.open, source, entry))
            else:
                yield PackedEntry(entry, partial(open_file, source))


def _checked(
    item: Selected, packed: PackedEntry, digests: Mapping[str, str], latest: int | None
) -> PackedEntry:
    from img.application.solver.checked_content import open_checked  # of bind mounts

    entry = packed.entry
    if latest is not None and entry.mtime > latest:
        entry = entry._replace(mtime=latest)
    if packed.open is None:
        return PackedEntry(entry=entry)
    entry = entry._replace(digest=entry.digest or digests[item.source or ""])
    return PackedEntry(entry=entry, open=partial(open_checked, packed.open, entry))


def _has_content(item: Selected) -> bool:
    return item.entry.kind == FILE and item.entry.size > 0
