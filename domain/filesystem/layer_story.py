"""The story of an image's files: what each layer does to them, and what of it is wasted."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field
from enum import Enum

from img.domain.dataclass import dataclass
from img.domain.filesystem import paths
from img.domain.filesystem.entry import DIRECTORY, FILE, HARDLINK, Entry
from img.domain.filesystem.file_index import OPAQUE_WHITEOUT, WHITEOUT_PREFIX, FileIndex

# Directories of package managers that an image has no use for.
_CACHES = re.compile(
    r"var/cache/(?:apt|apk|dnf|yum|zypp|pacman/pkg)/|var/lib/apt/lists/"
    r"|(?:root|home/[^/]+)/(?:\.cache/(?:pip|uv|go-build|yarn|pnpm)|\.npm/_cacache"
    r"|\.cargo/registry|go/pkg/mod/cache|\.m2/repository|\.gradle/caches|\.composer/cache)/"
    r"|usr/local/share/\.cache/yarn/|usr/local/cargo/registry/|go/pkg/mod/cache/"
)


class Change(Enum):
    """The effect of a layer on a path."""

    ADDED = "+"
    CHANGED = "~"
    REMOVED = "-"


@dataclass(frozen=True, slots=True)
class ChangedPath:
    """A path that a layer changes; the entry of a removed one is the old one."""

    change: Change
    entry: Entry
    before: int = 0  # bytes: of the file that it replaces or removes


class Reason(Enum):
    """The reason why bytes of an image are wasted."""

    OVERWRITTEN = "overwritten later"
    DELETED = "deleted later"
    DUPLICATE = "duplicate"
    CACHE = "package cache"


@dataclass(frozen=True, slots=True)
class Waste:
    """Bytes of one path that the image has for nothing."""

    reason: Reason
    path: str
    size: int  # bytes, not compressed
    layer: int  # that has them, from 0
    by: int | None = None  # the layer that overwrites or deletes the file
    original: str = ""  # the path of the same content, for a duplicate


@dataclass(frozen=True, slots=True)
class LayerStory:
    """The changes of each layer, lowest first; the files of the whole image; the waste."""

    changes: tuple[tuple[ChangedPath, ...], ...]
    files: tuple[Entry, ...]  # sorted by path; in hard links, the size is that of their file
    waste: tuple[Waste, ...]  # largest first

    @property
    def wasted(self) -> int:
        """The bytes that are wasted; a duplicate in a package cache counts once."""
        return sum({(each.layer, each.path): each.size for each in self.waste}.values())

    def search(self, text: str) -> Iterator[Entry]:
        """Yield the files of the image with ``text`` in their paths; the case does not matter."""
        wanted = text.lower()
        return (entry for entry in self.files if wanted in entry.path.lower())


def story_of(layers: Sequence[FileIndex]) -> LayerStory:
    """Return the story of ``layers``, lowest first. Their entries need not make sense."""
    telling = _Telling()
    changes = tuple(tuple(telling.layer(number, index)) for number, index in enumerate(layers))
    waste = [*telling.waste, *telling.duplicates(), *telling.caches()]
    return LayerStory(
        changes=changes,
        files=tuple(telling.present[path] for path in sorted(telling.present)),
        waste=tuple(sorted(waste, key=lambda each: (-each.size, each.path))),
    )


@dataclass(slots=True)
class _Telling:
    present: dict[str, Entry] = field(default_factory=dict)
    owner: dict[str, int] = field(default_factory=dict)  # the layer that has the bytes
    names: dict[str, set[str]] = field(default_factory=dict)  # paths, by directory
    waste: list[Waste] = field(default_factory=list)

    def layer(self, number: int, index: FileIndex) -> Iterator[ChangedPath]:
        """Yield the changes of a layer; its whiteouts are about the layers below."""
        entries = [*index]
        for entry in entries:
            directory, name = paths.parent(entry.path), paths.name(entry.path)
            if name == OPAQUE_WHITEOUT:
                for path in [*self.names.get(directory, ())]:
                    yield from self._removed(number, path)
            elif name.startswith(WHITEOUT_PREFIX):
                yield from self._removed(
                    number, paths.below(directory, name[len(WHITEOUT_PREFIX) :])
                )
        for entry in entries:
            if not paths.name(entry.path).startswith(WHITEOUT_PREFIX):
                yield from self._written(number, entry)

    def duplicates(self) -> Iterator[Waste]:
        """Yield the files of the image with contents that another has too."""
        first: dict[str, str] = {}
        for path in sorted(self.present):
            entry = self.present[path]
            if entry.kind != FILE or not entry.size or not entry.digest:
                continue
            original = first.setdefault(entry.digest, path)
            if original != path:
                yield Waste(Reason.DUPLICATE, path, entry.size, self.owner[path], original=original)

    def caches(self) -> Iterator[Waste]:
        """Yield the files of the image that package managers keep for another time."""
        for path, entry in self.present.items():
            if entry.kind == FILE and entry.size and _CACHES.match(path):
                yield Waste(Reason.CACHE, path, entry.size, self.owner[path])

    def _written(self, number: int, entry: Entry) -> Iterator[ChangedPath]:
        old = self.present.get(entry.path)
        if entry.kind == HARDLINK:
            target = self.present.get(entry.link)
            entry = entry._replace(size=target.size if target else 0)
        if old is not None and old.kind == DIRECTORY and entry.kind != DIRECTORY:
            for path in [*self.names.get(entry.path, ())]:
                yield from self._removed(number, path)
        if old is not None and old.kind == FILE:
            self._note(Reason.OVERWRITTEN, old, number)
        self.present[entry.path] = entry
        self.owner[entry.path] = number
        if entry.path:
            self.names.setdefault(paths.parent(entry.path), set()).add(entry.path)
        if old is None:
            yield ChangedPath(Change.ADDED, entry)
        elif not _is_same_directory(old, entry):
            yield ChangedPath(Change.CHANGED, entry, old.size)

    def _removed(self, number: int, path: str) -> Iterator[ChangedPath]:
        todo = [path]
        while todo:
            path = todo.pop()
            entry = self.present.pop(path, None)
            if entry is None:
                continue
            todo += sorted(self.names.pop(path, ()), reverse=True)
            self.names.get(paths.parent(path), set()).discard(path)
            if entry.kind == FILE:
                self._note(Reason.DELETED, entry, number)
            yield ChangedPath(Change.REMOVED, entry, entry.size)

    def _note(self, reason: Reason, entry: Entry, by: int) -> None:
        if entry.size and self.owner[entry.path] != by:
            self.waste.append(Waste(reason, entry.path, entry.size, self.owner[entry.path], by=by))


def _is_same_directory(old: Entry, new: Entry) -> bool:
    """Tell whether a layer has a directory only as the parent of a change (ADR 33)."""
    if old.kind != DIRECTORY or new.kind != DIRECTORY:
        return False
    return (old.mode, old.uid, old.gid, old.xattrs) == (new.mode, new.uid, new.gid, new.xattrs)


def children_of(entries: Iterable[Entry]) -> dict[str, list[str]]:
    """Return the names in each directory, sorted; directories that no entry is for are there too.

    The keys are paths of directories, "" is the root.
    """
    found: dict[str, set[str]] = {"": set()}
    for entry in entries:
        path = entry.path
        while path:
            directory = paths.parent(path)
            names = found.setdefault(directory, set())
            if path in names:
                break
            names.add(path)
            path = directory
    return {directory: sorted(names) for directory, names in found.items()}
