"""The files that COPY and ADD copy, and their destinations.

The rules are BuildKit's (tonistiigi/fsutil, copy/copy.go), and differ from cp(1): of a directory
only the contents are copied; a link is followed if the source names it, and kept otherwise.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple

from img.domain.dataclass import dataclass
from img.domain.filesystem import paths
from img.domain.filesystem.entry import DIRECTORY, FILE, Entry
from img.domain.filesystem.file_name import FileName
from img.domain.filesystem.source_match import SourceMatch, match_sources, refuse_missing
from img.domain.filesystem.target import Selected, Target
from img.domain.filesystem.tree import FileTree
from img.domain.filesystem.unpacking import MADE_MODE, unpack

_EMPTY = hashlib.sha256().hexdigest()
_USUAL_ROOT = Entry("", DIRECTORY, 0o755)
_DIGEST = itemgetter(10)  # of an Entry
_LINES = 1000  # lines that are hashed at once

Matching = Callable[[Sequence[str]], Callable[[str], bool]]


class InlineText(NamedTuple):
    """A file with content from the Dockerfile."""

    name: FileName
    content: bytes
    mode: int = 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRules:
    """The rules of one COPY or ADD, parsed and expanded."""

    sources: tuple[str, ...]  # relative to the source's root; with ``parents``, "/./" is the pivot
    destination: str  # absolute; ends in "/" or "/." if it must be a directory
    inline: tuple[InlineText, ...] = ()
    in_context: bool = True  # the source is a build context, no stage
    parents: bool = False
    exclude: tuple[str, ...] = ()  # patterns as in .dockerignore, relative to each source
    owner: tuple[int, int] | None = None  # uid and gid of all entries; None keeps them
    mode: Callable[[int, bool], int] | None = None  # (mode, is a directory) -> mode; None keeps it
    made_mode: int = 0o755  # of created parent directories
    mtime: int = 0  # nanoseconds; of created directories and inline files


@dataclass(frozen=True, slots=True)
class Selection:
    """The entries of the layer of a COPY, sorted by path: parents before children."""

    items: tuple[Selected, ...]

    def unknown(self) -> list[str]:
        """Return the source paths of files that have no content digest yet."""
        return [
            source
            for source, entry, member in self.items
            if entry[1] == FILE and not entry[10] and entry[5] and source is not None and not member
        ]

    def is_new_to(self, destination: FileTree | None) -> bool:
        """Return whether ``destination`` holds none of the paths, not even a created directory.

        The root is always there and does not count.
        """
        return destination is None or all(
            destination.get(entry[0]) is None or not entry[0] for _, entry, _ in self.items
        )

    def dated(self, mtime: int) -> "Selection":
        """Return it with ``mtime``, in nanoseconds, for created entries, which have none."""
        return Selection(
            tuple(
                [
                    item._replace(entry=item.entry._replace(mtime=mtime))
                    if item.source is None and not item.entry.mtime
                    else item
                    for item in self.items
                ]
            )
        )

    def with_directory(self, directory: Entry) -> "Selection":
        """Return it with ``directory`` itself, in place of a created parent.

        A root with default attributes is left out, as in layers.
        """
        others = [item for item in self.items if item.entry.path != directory.path]
        if not directory.path and directory._replace(mtime=0) == _USUAL_ROOT:
            return Selection(tuple(others))
        found = Selected(None, directory._replace(offset=-1))
        return Selection(tuple(sorted([*others, found], key=lambda item: item.entry.path)))

    def contents_digest(
        self,
        read: Mapping[str, str] | None = None,
        *,
        packed: Iterable[Entry] | None = None,
        dated: bool = False,
    ) -> str:
        """Return the sha256, as hex, of the layer's entries without mtimes.

        Without mtimes, a fresh clone or a touch is no change (BuildKit cache/contenthash). With
        ``dated``, those of the source's files are included, because the user asked for them.
        ``read`` holds the digests of the ``unknown`` files, by source path; or ``packed`` are the
        entries of the layer that the selection was written to.
        """
        digests = self._digests(read or {}) if packed is None else map(_DIGEST, packed)
        contents = hashlib.sha256()
        lines: list[str] = []
        for (source, entry, member), digest in zip(self.items, digests, strict=True):
            path, kind, mode, uid, gid, _, mtime, link, device, xattrs, _, number = entry
            line = f"{path}\0{kind}{mode:o}\0{uid}\0{gid}\0{link}\0{digest}\0\n"
            if xattrs or device != (0, 0):
                line += f"{device}{[(name, value.hex()) for name, value in xattrs]}\0\n"
            if member and source is not None:  # links in the root change the places of members
                line += f"{number}\0\n"
            if dated and source is not None:
                line += f"{mtime}\0\n"
            lines.append(line)
            if len(lines) == _LINES:
                contents.update("".join(lines).encode("utf-8", "surrogateescape"))
                lines.clear()
        contents.update("".join(lines).encode("utf-8", "surrogateescape"))
        return contents.hexdigest()

    def _digests(self, read: Mapping[str, str]) -> Iterator[str]:
        for source, entry, _ in self.items:
            digest = entry[10]
            if not digest and entry[1] == FILE:
                digest = read[source or ""] if entry[5] else _EMPTY
            yield digest


def select(
    source: FileTree,
    rules: CopyRules,
    destination: FileTree | None,
    *,
    matching: Matching,
    archives: Mapping[str, Sequence[Entry]] | None = None,
) -> Selection:
    """Return the entries that a COPY writes onto ``destination`` (None: an empty root, --link).

    ``matching`` compiles patterns in the language of .dockerignore. ``archives`` holds the entries
    of the archives that ADD unpacks, by resolved source path. Raises SourceNotFound, TooManyLinks,
    and the conflicts of Target.
    """
    copier = _Copier(source, rules, destination, matching, archives or {})
    for match in _matches(source, rules):
        copier.copy(match, rules.destination)
    for text in rules.inline:
        copier.write(text)
    return copier.selection()


def select_apart(source: FileTree, rules: CopyRules, *, matching: Matching) -> Selection:
    """Return the files that an ADD reads, those of each source in a separate directory.

    The destinations are not known before it is known which files are archives; in separate
    directories no source hides another or conflicts with it. Raises SourceNotFound, TooManyLinks.
    """
    copier = _Copier(source, rules, None, matching, {})
    for number, match in enumerate(_matches(source, rules)):
        copier.copy(match, f"/{number}/")
    return copier.selection()


def _matches(source: FileTree, rules: CopyRules) -> Iterator[SourceMatch]:
    return match_sources(source, rules.sources, rules.parents, in_context=rules.in_context)


class _Copier:
    def __init__(
        self,
        source: FileTree,
        rules: CopyRules,
        destination: FileTree | None,
        matching: Matching,
        archives: Mapping[str, Sequence[Entry]],
    ) -> None:
        self._source = source
        self._rules = rules
        self._matching = matching
        self._archives = archives
        self._target = Target(
            destination or FileTree(),
            owner=rules.owner,
            mode=rules.mode,
            made_mode=rules.made_mode,
            mtime=rules.mtime,
        )
        self._excludes = matching(rules.exclude) if rules.exclude else None

    def selection(self) -> Selection:
        return Selection(self._target.items())

    def copy(self, match: SourceMatch, destination: str) -> None:
        """Write the files of ``match`` to ``destination``; the last one of several stays."""
        entry = self._source.get(match.resolved)
        assert entry is not None
        self._target.next_source()
        if match.resolved in self._archives:
            where = self._target.resolve(destination)
            self._target.make_directories(where, mode=MADE_MODE)
            members = self._archives[match.resolved]
            unpack(self._target, where, match.resolved, members, self._rules.owner)
        elif self._source.is_directory(match.resolved):
            self._target.make_directories(self._parent(destination))
            where = self._target.resolve(destination)
            self._target.make_directories(where, mtime=entry.mtime or None)
            self._copy_below(match, where)
        else:
            where = self._place_of_file(FileName(paths.name(match.path)), destination)
            self._target.put(where, match.resolved, entry, self._source.inode(match.resolved))

    def write(self, text: InlineText) -> None:
        """Write a file with content from the Dockerfile."""
        where = self._place_of_file(text.name, self._rules.destination)
        self._target.put_inline(where, text.name, text.mode, text.content)

    def _copy_below(self, match: SourceMatch, where: str) -> None:
        includes = self._matching((match.pattern,)) if match.pattern else None
        if includes is None and self._excludes is None:
            self._target.put_all(where, self._source, match.resolved)
            return
        excludes = self._excludes
        found = self._target.put_matching(
            where,
            self._source,
            match.resolved,
            only=match.prefix,
            wanted=lambda path: (
                (includes is None or includes(path)) and not (excludes and excludes(path))
            ),
        )
        if match.required and not found:
            refuse_missing(self._source, match.required)

    def _parent(self, destination: str) -> str:
        """Return the directory that is created before the sources are checked."""
        above = destination if _means_directory(destination) else paths.parent(destination)
        return self._target.resolve(above)

    def _place_of_file(self, name: FileName, destination: str) -> str:
        self._target.make_directories(self._parent(destination))
        where = self._target.resolve(destination)
        return paths.below(where, str(name)) if self._target.is_directory(where) else where


def _means_directory(text: str) -> bool:
    return text.endswith(("/", "/."))
