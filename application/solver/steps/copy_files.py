"""Runs CopyFiles: the layer of a COPY or ADD, packed without copying the files first."""

from collections.abc import Callable, Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING, cast

from img.application.layers.trees import Trees
from img.application.ports.blob_store import BlobStore
from img.application.ports.clock import Clock
from img.application.ports.layer_archive import (
    LayerArchive,
    PackedEntry,
)
from img.application.ports.scratch_space import ScratchSpace
from img.application.solver.fetched_file import FetchedFile
from img.application.solver.lookup import FormerLayers
from img.application.solver.owners import Owners
from img.application.solver.progress import StepProgress
from img.application.solver.results import ContextFiles, Result, Stack, stack_of
from img.application.solver.sources import ContextSource, NoSource, Source, StackSource
from img.application.solver.steps.step import Step
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.dockerfile.file_mode import FileMode, parse_file_mode
from img.domain.dockerfile.ignore import IgnoreMatcher
from img.domain.filesystem.entry import BLOCK, CHARACTER
from img.domain.filesystem.file_index import FileIndex
from img.domain.filesystem.selection import (
    CopyRules,
    InlineText,
    Selection,
    select,
    select_apart,
)
from img.domain.filesystem.source_match import match_sources
from img.domain.go.path_match import literal
from img.domain.graph.cache_key import content_key, definition_key, former_key
from img.domain.graph.operations import CopyFiles
from img.domain.oci.chain import Layer

if TYPE_CHECKING:
    from img.application.solver.archives import Archives
    from img.application.solver.copied_entries import CopiedEntries
    from img.application.solver.joined_source import JoinedSource

_UNREAD = 16 << 20  # bytes that are read for digests alone, as that takes little time


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyIntoLayer:
    """Layers with files of a context, a stage, an image, or the Dockerfile itself."""

    archive: LayerArchive
    blobs: BlobStore
    trees: Trees
    owners: Owners
    former: FormerLayers
    scratch: ScratchSpace
    clock: Clock

    def step(
        self, operation: CopyFiles, inputs: Sequence[Result], *, anew: bool = False
    ) -> "CopyStep":
        """Return the step; ``inputs`` are the root and the sources. Raises BuildError.

        ``anew`` is for builds without a cache: no part of an older layer is used.
        """
        root, *sources = inputs
        return CopyStep(
            parts=self, operation=operation, root=stack_of(root), sources=tuple(sources), anew=anew
        )

    def prepare(
        self,
        operation: CopyFiles,
        root: Stack,
        sources: Sequence[Result],
        *,
        anew: bool = False,
    ) -> "Copying":
        """Return the copy with its files selected. Raises BuildError if a source is missing."""
        if operation.source_inputs:
            source, operation = self._joined(operation, sources)
        else:
            source = self._source(sources[0]) if sources else NoSource()
        rules = _rules(operation, source)
        if operation.unpack:
            selected = select_apart(source.tree(), rules, matching=_matching)
        else:
            selected = select(source.tree(), rules, None, matching=_matching)
        return Copying(
            parts=self,
            operation=operation,
            root=root,
            source=source,
            selected=selected,
            anew=anew,
        )

    def _joined(self, operation: CopyFiles, inputs: Sequence[Result]) -> tuple[Source, CopyFiles]:
        """Return all sources of an ADD as one, and the operation with the words of that source."""
        from img.application.solver.joined_source import JoinedSource  # few builds have one

        sources = [self._source(each) for each in inputs]
        named = [
            (source, literal(word) if _is_download(source) else word)
            for number, word in zip(operation.source_inputs, operation.sources, strict=True)
            for source in (sources[number - 1],)
        ]
        joined = JoinedSource(named)
        return joined, replace(operation, sources=tuple(joined.words))

    def _source(self, source: Result) -> Source:
        if isinstance(source, ContextFiles):
            return ContextSource(source.context)
        return StackSource(source, self.trees, self.scratch)


@dataclass(slots=True, kw_only=True)
class CopyStep(Step):
    """One COPY or ADD; its files are selected when a key or the layer needs them."""

    parts: CopyIntoLayer
    operation: CopyFiles
    root: Stack
    sources: tuple[Result, ...]
    anew: bool = False
    _copying: "Copying | None" = None

    def quick_key(self) -> Digest | None:
        """Return an alias made of the fingerprints of contexts.

        It changes if any file of a context does, even one that is not copied.
        """
        if self._definition_of_stage() is not None:
            return None
        fingerprints = [_fingerprint_of(source) for source in self.sources]
        if not fingerprints or None in fingerprints:
            return None
        key = definition_key(self.operation, (self.root.key, *fingerprints))
        return Digest.of(f"glance {key}".encode())

    def reads_much(self) -> bool:
        return self._definition_of_stage() is None and not self._prepared().reads_first

    def definition_key(self) -> Digest:
        return self._definition_of_stage() or self._prepared().definition_key()

    def content_key(self) -> Digest:
        return self._prepared().content_key()

    def run(self, progress: StepProgress) -> Layer:
        return self._prepared().pack()

    def _definition_of_stage(self) -> Digest | None:
        """Return the definition key of a copy from one stage, image or commit; it reads no file."""
        sources = self.sources
        if len(sources) != 1 or not isinstance(sources[0], Stack):
            return None
        return definition_key(self.operation, (self.root.key, sources[0].key))

    def _prepared(self) -> "Copying":
        if self._copying is None:
            self._copying = self.parts.prepare(
                self.operation, self.root, self.sources, anew=self.anew
            )
        return self._copying


@dataclass(slots=True, kw_only=True)
class Copying:
    """The files of one COPY or ADD.

    ``selected`` is placed by the text of the destination alone, without the files of the root,
    and, for an ADD that may unpack archives, without the destination too.
    """

    parts: CopyIntoLayer
    operation: CopyFiles
    root: Stack
    source: Source
    selected: Selection
    anew: bool = False  # without members of older layers
    _archives: "Archives | None" = None
    _digests: dict[str, str] = field(default_factory=dict)  # learned, by path in the source
    _placed: Selection | None = None
    _placed_as_selected: bool = False  # but for the times of created directories, in no digest
    _selected: Digest | None = None  # of the contents of ``selected``
    _definition: Digest | None = None
    _content: Digest | None = None

    @property
    def reads_first(self) -> bool:
        """True if the files without a known digest are small enough to be read for the keys."""
        tree = self.source.tree()
        unread = 0
        for path in self.selected.unknown():
            entry = tree.get(path)
            unread += entry.size if entry else 0
        return unread <= _UNREAD

    def definition_key(self) -> Digest:
        """Return the key of the operation, of what the root was made from, and of the source."""
        if self._definition is None:
            source = self.source.key() or self._selected_contents()
            self._definition = definition_key(self.operation, (self.root.key, source))
        return self._definition

    def content_key(self) -> Digest:
        """Return the key of the entries of the layer, without the rest of the root."""
        if self._content is None:
            placed = self._placement()
            contents = (
                self._selected_contents() if self._placed_as_selected else self._contents(placed)
            )
            self._content = content_key(self.operation, contents)
        return self._content

    def pack(self) -> Layer:
        """Write the layer and return it; it is empty if wildcards match no file.

        Raises ReservedName.
        """
        entries = self._entries()
        place = None if self.anew else self.source.place()
        former_step = None if place is None else former_key(self.operation, place)
        packed = entries.pack(former_step, epoch=self.operation.epoch)
        self.parts.trees.indexes.put(packed.layer.diff_id, packed.index)
        self.source.packed(entries.learned(packed.index, known=self._digests))
        self._digest(packed.index, entries)
        return packed.layer

    def _digest(self, index: FileIndex, entries: "CopiedEntries") -> None:
        """Compute what the keys need of ``index``, the packed layer."""
        if not self._placed_as_selected:
            self._digests.update(entries.learned(index, known=self._digests))
        elif self._selected is None:  # without a digest of each file in memory
            dated = self.source.dated()
            digest = self.selected.contents_digest(packed=index, dated=dated)
            self._selected = Digest("sha256", digest)

    def _entries(self) -> "CopiedEntries":
        from img.application.solver.copied_entries import CopiedEntries  # no cached step needs it

        return CopiedEntries(
            placed=self._placement(),
            source=self.source,
            texts={str(text.name): text.content for text in _texts(self.operation)},
            archives=self._archives,
            archive=self.parts.archive,
            blobs=self.parts.blobs,
            former=self.parts.former,
        )

    @property
    def has_devices(self) -> bool:
        """True if a device is among the files, which needs privileges to create."""
        return any(item.entry.kind in (CHARACTER, BLOCK) for item in self.selected.items)

    def listed(self) -> list[PackedEntry]:
        """Return the entries of the layer with all digests, without writing it.

        A content with another digest raises ContextFileChanged at its end. Raises ReservedName.
        """
        self.content_key()
        return self._entries().checked(self._digests, epoch=self.operation.epoch)

    def _selected_contents(self) -> Digest:
        if self._selected is None:
            self._selected = self._contents(self.selected)
        return self._selected

    def _contents(self, selection: Selection) -> Digest:
        unknown = [path for path in self.selected.unknown() if path not in self._digests]
        if unknown:
            self._digests.update(self.source.learn(unknown))
        if self._archives is not None:
            tree = self.source.tree()
            for path in self._archives.members:
                entry = tree.get(path)
                if entry is not None and entry.digest:
                    self._digests[path] = entry.digest
        dated = self.source.dated()
        return Digest("sha256", selection.contents_digest(self._digests, dated=dated))

    def _placement(self) -> Selection:
        if self._placed is None:
            self._placed = self._place()
        return self._placed

    def _place(self) -> Selection:
        owner = None
        if self.operation.chown:
            owner = self.parts.owners.of(self.operation.chown, self.root)
        root = None if self.operation.link else self.parts.trees.of(self.root.layers)
        if self.operation.unpack and self._archives is None:
            self._archives = self._look_for_archives()
        if owner is None and self._archives is None and self.selected.is_new_to(root):
            self._placed_as_selected = True
            return self.selected.dated(self._now())
        return select(
            self.source.tree(),
            _rules(self.operation, self.source, owner=owner, mtime=self._now()),
            root,
            matching=_matching,
            archives=self._archives.members if self._archives else None,
        )

    def _look_for_archives(self) -> "Archives":
        from img.application.solver.archives import Archives  # few files are archives

        # Only files that the instruction names are looked into, not those inside a directory
        # (Dockerfile reference, "Adding local tar archives").
        archives = Archives(archive=self.parts.archive, scratch=self.parts.scratch)
        matches = match_sources(
            self.source.tree(), self.operation.sources, in_context=self.source.is_context
        )
        paths = {match.resolved: None for match in matches if self._unpacks(match.resolved)}
        archives.look_into(self.source, paths)
        return archives

    def _unpacks(self, path: str) -> bool:
        if not self.operation.source_inputs:
            return True
        joined = cast("JoinedSource", self.source)  # CopyIntoLayer.prepare
        return self.operation.unpack_fetched or not _is_download(joined.origin(path))

    def _now(self) -> int:
        return int(self.parts.clock.now().timestamp()) * 10**9


def _is_download(source: Source) -> bool:
    return isinstance(source, ContextSource) and isinstance(source.context, FetchedFile)


def _fingerprint_of(source: Result) -> Digest | None:
    if not isinstance(source, ContextFiles):
        return source.key
    fingerprint = source.context.fingerprint()
    return Digest.of(fingerprint.encode()) if fingerprint is not None else None


def _rules(
    operation: CopyFiles, source: Source, *, owner: tuple[int, int] | None = None, mtime: int = 0
) -> CopyRules:
    mode = parse_file_mode(operation.chmod) if operation.chmod else FileMode()
    return CopyRules(
        sources=operation.sources,
        destination=operation.destination,
        in_context=source.is_context,
        inline=_texts(operation),
        parents=operation.parents,
        exclude=operation.exclude,
        owner=owner,
        mode=mode.apply if operation.chmod else None,
        made_mode=mode.of_made_directories,
        mtime=mtime,
    )


def _texts(operation: CopyFiles) -> tuple[InlineText, ...]:
    # A --build-arg in a text may have bytes that are not UTF-8; they are kept.
    return tuple(
        InlineText(file.name, file.content.encode("utf-8", "surrogateescape"), file.mode)
        for file in operation.inline
    )


def _matching(patterns: Sequence[str]) -> Callable[[str], bool]:
    return IgnoreMatcher(tuple(patterns)).hides
