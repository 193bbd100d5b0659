"""What COPY and ADD take, and where it goes.

The rules are BuildKit's (tonistiigi/fsutil, copy/copy.go), which differ from cp(1): of a directory
only the contents are copied; a link is followed when it is named, and kept when it is found.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
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
_LINES = 1000  # that are hashed at once

Matching = Callable[[Sequence[str]], Callable[[str], bool]]


class InlineText(NamedTuple):
    """A file whose content stands in the Dockerfile."""

    name: FileName
    content: bytes
    mode: int = 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRules:
    """The words of a COPY or ADD, expanded and understood."""

    sources: tuple[str, ...]  # relative to the source's root; with parents, "/./" is the pivot
    destination: str  # absolute; ends in "/" or "/." where it must be a directory
    inline: tuple[InlineText, ...] = ()
    parents: bool = False
    exclude: tuple[str, ...] = ()  # patterns of .dockerignore, relative to each source
    owner: tuple[int, int] | None = None  # uid and gid of all that is written; None keeps
    mode: Callable[[int, bool], int] | None = None  # (mode, is a directory) -> mode; None keeps
    made_mode: int = 0o755  # of directories that are made on the way
    mtime: int = 0  # nanoseconds; of directories that are made and of inline files


@dataclass(frozen=True, slots=True)
class Selection:
    """The entries of the layer that a COPY makes, sorted by path: parents before children."""

    items: tuple[Selected, ...]

    def unknown(self) -> list[str]:
        """Return the source paths of files whose content nobody has read yet."""
        return [
            source
            for source, entry, member in self.items
            if entry[1] == FILE and not entry[10] and entry[5] and source is not None and not member
        ]

    def is_new_to(self, destination: FileTree | None) -> bool:
        """Tell whether ``destination`` has nothing of it, not even a directory that it makes.

        The root, which is everywhere, does not count.
        """
        return destination is None or all(
            destination.get(entry[0]) is None or not entry[0] for _, entry, _ in self.items
        )

    def dated(self, mtime: int) -> "Selection":
        """Return the same with ``mtime``, in nanoseconds, for what has none: what is made."""
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
        """Return the same with ``directory`` as it is, not as one that is made for its files.

        A root that is like any other is left out, as it is of layers.
        """
        others = [item for item in self.items if item.entry.path != directory.path]
        if not directory.path and directory._replace(mtime=0) == _USUAL_ROOT:
            return Selection(tuple(others))
        found = Selected(None, directory._replace(offset=-1))
        return Selection(tuple(sorted([*others, found], key=lambda item: item.entry.path)))

    def contents_digest(self, read: Mapping[str, str] | None = None, *, dated: bool = False) -> str:
        """Return a sha256, as hex, of all that ends up in the layer but for mtimes.

        Not mtimes, so that a fresh clone or a touch is no change (BuildKit cache/contenthash);
        those of the source's files, if it is ``dated``: somebody has asked for them. ``read`` has
        the digests of what is ``unknown``, by source path.
        """
        known = read or {}
        contents = hashlib.sha256()
        lines: list[str] = []
        for source, entry, member in self.items:
            path, kind, mode, uid, gid, size, mtime, link, device, xattrs, digest, number = entry
            if kind == FILE and not digest:
                digest = known[source or ""] if size else _EMPTY
            line = f"{path}\0{kind}{mode:o}\0{uid}\0{gid}\0{link}\0{digest}\0\n"
            if xattrs or device != (0, 0):
                line += f"{device}{[(name, value.hex()) for name, value in xattrs]}\0\n"
            if member and source is not None:  # links of the root lead members to other places
                line += f"{number}\0\n"
            if dated and source is not None:
                line += f"{mtime}\0\n"
            lines.append(line)
            if len(lines) == _LINES:
                contents.update("".join(lines).encode("utf-8", "surrogateescape"))
                lines.clear()
        contents.update("".join(lines).encode("utf-8", "surrogateescape"))
        return contents.hexdigest()


def select(
    source: FileTree,
    rules: CopyRules,
    destination: FileTree | None,
    *,
    matching: Matching,
    archives: Mapping[str, Sequence[Entry]] | None = None,
) -> Selection:
    """Return what a COPY by ``rules`` writes onto ``destination`` (None: onto nothing, --link).

    ``matching`` makes of patterns in .dockerignore's language a test of paths. ``archives`` has
    the entries of those files, by resolved source path, that ADD is to unpack.
    Raises SourceNotFound, TooManyLinks, and the conflicts of Target.
    """
    copier = _Copier(source, rules, destination, matching, archives or {})
    for match in match_sources(source, rules.sources, rules.parents):
        copier.copy(match, rules.destination)
    for text in rules.inline:
        copier.write(text)
    return copier.selection()


def select_apart(source: FileTree, rules: CopyRules, *, matching: Matching) -> Selection:
    """Return what an ADD by ``rules`` reads, that of each source in a directory of its own.

    What of it is an archive decides where the rest goes, so nothing is said of the destination:
    no source hides another, or is in its way. Raises SourceNotFound, TooManyLinks.
    """
    copier = _Copier(source, rules, None, matching, {})
    for number, match in enumerate(match_sources(source, rules.sources, rules.parents)):
        copier.copy(match, f"/{number}/")
    return copier.selection()


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
        """Write what ``match`` names to ``destination``, of several files for one the last."""
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
        """Write a file of the Dockerfile."""
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
        """Return the directory that is made before anything is looked at."""
        above = destination if _means_directory(destination) else paths.parent(destination)
        return self._target.resolve(above)

    def _place_of_file(self, name: FileName, destination: str) -> str:
        self._target.make_directories(self._parent(destination))
        where = self._target.resolve(destination)
        return paths.below(where, str(name)) if self._target.is_directory(where) else where


def _means_directory(text: str) -> bool:
    return text.endswith(("/", "/."))
