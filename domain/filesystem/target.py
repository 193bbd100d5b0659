"""The destination tree of a COPY, with the entries written so far."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from img.domain.errors import BuildError
from img.domain.filesystem import paths
from img.domain.filesystem.changes import whiteout_of
from img.domain.filesystem.entry import (
    DIRECTORY,
    FILE,
    HARDLINK,
    SOCKET,
    SYMLINK,
    Entry,
)
from img.domain.filesystem.nested import Nested
from img.domain.filesystem.parents import made_below, missing_parents
from img.domain.filesystem.tree import FileTree, resolve_links

_ROOT = Entry("", DIRECTORY)


class NotADirectory(BuildError):
    """A directory at the path of another file (BuildKit's message)."""

    def __init__(self, path: str) -> None:
        super().__init__(f"cannot copy to non-directory: /{path}")
        self.path = path


class IsADirectory(BuildError):
    """A file at the path of a directory (BuildKit's message)."""

    def __init__(self, path: str) -> None:
        super().__init__(f"cannot replace to directory /{path} with file")
        self.path = path


class ImpossibleHardLink(BuildError):
    """A hard link of an archive that is impossible in a file system."""

    def __init__(self, path: str, target: str, reason: str) -> None:
        super().__init__(f"cannot make /{path} a hard link to /{target}: {reason}")


class Selected(NamedTuple):
    """An entry of the new layer, with the source of its content."""

    source: str | None  # path in the source; None: a created directory, or text of the Dockerfile
    entry: Entry  # as it is written
    member: str = ""  # the path inside a source archive, or the name of an inline text

    @property
    def is_deletion(self) -> bool:
        """Return whether it is a whiteout, which has neither a source nor a text."""
        return self.source is None and not self.member and self.entry.kind == FILE


class Target:
    """``base`` and the entries written over it. Paths are clean; their links are resolved before.

    ``owner`` and ``mode`` are those of copied files, ``owner`` and ``made_mode`` those of created
    directories; entries without a time get ``mtime``.
    """

    def __init__(
        self,
        base: FileTree,
        *,
        owner: tuple[int, int] | None,
        mode: Callable[[int, bool], int] | None,
        made_mode: int,
        mtime: int,
    ) -> None:
        self._base = base
        self._owner = owner
        self._mode = mode
        self._made_mode = made_mode
        self._mtime = mtime
        self._written: dict[str, Selected] = {}
        self._linked: dict[str, object] = {}  # path -> the key that all its names share
        self._headers: dict[object, Entry] = {}  # by that key: the last header of a link
        self._nested: Nested | None = None  # the written paths, once an entry was replaced
        self._emptied: set[str] = set()  # directories of the base that another file replaced
        self._outer: dict[str, str] = {}  # path -> the file of the base that it names
        self._turn = 0
        self._led: set[str] = set()  # directories that this source has written

    def next_source(self) -> None:
        """Begin the next source: hard links connect only files of one source."""
        self._turn += 1
        self._led.clear()

    def get(self, path: str) -> Entry | None:
        """Return the entry at ``path``."""
        written = self._written.get(path)
        return self._below(path) if written is None else written.entry

    def is_directory(self, path: str) -> bool:
        """Return whether ``path`` itself is a directory."""
        entry = self.get(path)
        return entry is not None and entry.kind == DIRECTORY

    def resolve(self, path: str, top: str = "") -> str:
        """Return ``path`` below ``top`` with links resolved; missing parts are kept.

        ``top`` is the root directory for ``path`` and for links: neither ``..`` nor an absolute
        link leads out of it. Raises TooManyLinks.
        """
        return resolve_links(self.get, path, top=top)

    def make_directories(
        self,
        path: str,
        *,
        mode: int | None = None,
        owner: tuple[int, int] | None = None,
        mtime: int | None = None,
    ) -> None:
        """Make ``path`` and its missing parents; existing directories do not change.

        ``mode``, ``owner`` and ``mtime`` default to those of the copy. Raises NotADirectory.
        """
        if not path or self.is_directory(path):
            return
        mode = self._made_mode if mode is None else mode
        when = self._mtime if mtime is None else mtime
        owner = owner or self._owner
        uid, gid = owner or (0, 0)
        above = self.get("") or _ROOT
        for directory in [*paths.ancestors(path), path]:
            there = self.get(directory)
            if there is None:
                new = Entry(directory, DIRECTORY, mode, uid, gid, mtime=when)
                there = made_below(above, new, chosen=owner is not None)
                self._set(directory, Selected(None, there))
            elif there.kind != DIRECTORY:
                raise NotADirectory(directory)
            above = there

    def put(self, path: str, source: str, entry: Entry, inode: object = None) -> None:
        """Write ``entry``, not a directory, at ``path``. Raises IsADirectory, NotADirectory."""
        self.make_directories(paths.parent(path))
        self._check(path, entry.kind)
        self._write(path, source, entry, inode)

    def put_inline(self, path: str, name: str, mode: int, content: bytes) -> None:
        """Write the text called ``name`` as a file. Raises IsADirectory, NotADirectory."""
        digest = hashlib.sha256(content).hexdigest()
        entry = Entry(path, FILE, mode, size=len(content), mtime=self._mtime, digest=digest)
        self.put(path, "", entry)
        self._written[path] = self._written[path]._replace(source=None, member=name)

    def put_all(self, where: str, source: FileTree, top: str) -> None:
        """Write the contents of the directory ``top`` of ``source`` into ``where``.

        Raises IsADirectory, NotADirectory, ClosedDirectory.
        """
        source.refuse_closed(top, below=True)
        get, names, written, base = source.get, source.names, self._written, self._below
        if not self._emptied:
            base = self._base.get
        nested = self._nested
        owner, mode_of, make = self._owner, self._mode, tuple.__new__
        todo = [(top, where)]
        while todo:
            directory, target = todo.pop()
            above = f"{directory}/" if directory else ""
            prefix = f"{target}/" if target else ""
            for name in names(directory):
                # _put and _write, inlined: this runs for 10^5 files.
                path, place = above + name, prefix + name
                # The path of the entry is kept in place of ``path``: one text less for each file.
                path, kind, mode, uid, gid, size, mtime, link, device, xattrs, digest, offset = (
                    get(path) or _ROOT
                )
                old = base(place)
                if old is not None or place in written:
                    self._check(place, kind)
                if kind == DIRECTORY:
                    todo.append((path, place))
                if owner is not None:
                    uid, gid = owner
                if mode_of is not None and kind != SYMLINK:
                    mode = mode_of(mode, kind == DIRECTORY)
                if offset >= 0:
                    self._linked[place] = (self._turn, source.inode(path))
                row = (place, kind, mode, uid, gid, size, mtime, link, device, xattrs, digest, -1)
                written[place] = make(Selected, (path, make(Entry, row), ""))
                if nested is not None:
                    nested.add(place)

    def put_matching(
        self,
        where: str,
        source: FileTree,
        top: str,
        *,
        only: Sequence[str],
        wanted: Callable[[str], bool],
    ) -> bool:
        """Write the files below ``top`` with a ``wanted`` relative path.

        ``only`` holds the names of the first levels. Return whether a file matched. Raises
        IsADirectory, NotADirectory, ClosedDirectory.
        """
        found = False
        todo = [("", len(only))]
        while todo:
            directory, narrow = todo.pop()
            for name in source.names(paths.below(top, directory)):
                if narrow and name != only[-narrow]:
                    continue
                path = paths.below(directory, name)
                entry = source.get(paths.below(top, path))
                assert entry is not None
                is_wanted = wanted(path)
                if entry.kind == DIRECTORY:
                    todo.append((path, max(0, narrow - 1)))
                    if is_wanted or narrow:
                        source.refuse_closed(entry.path)
                if is_wanted and entry.kind != SOCKET:
                    found = True
                    self._lead_to(where, source, top, path)
                    self._put(paths.below(where, path), paths.below(top, path), source)
        return found

    def replace(self, path: str, item: Selected) -> None:
        """Write ``item`` at ``path`` in an existing directory, and replace the file there.

        A directory that replaces a directory changes its metadata and keeps its contents.
        """
        if not (item.entry.kind == DIRECTORY and self.is_directory(path)):
            self._forget(path)
        self._set(path, item)

    def link(self, path: str, to: str, header: Entry) -> None:
        """Make ``path``, in an existing directory, another name of the file at ``to``.

        All names of a written file get the metadata of ``header``, as in a file system; a file of
        the base keeps its own. Raises ImpossibleHardLink.
        """
        self._check_link(path, to)
        item = self._written.get(to)
        if item is None:
            there = self._below(to)
            assert there is not None
            item = Selected(None, there.hard_link(to))
        self._forget(path)
        self._set(path, item._replace(entry=item.entry._replace(path=path)))
        if item.entry.kind == HARDLINK:
            self._outer[path] = item.entry.link
        else:
            shared = self._linked.setdefault(to, object())
            self._linked[path] = shared
            self._headers[shared] = header

    def items(self) -> tuple[Selected, ...]:
        """Return the written entries and their parents, sorted by path, including hard links.

        Raises ImpossibleHardLink.
        """
        names: dict[object, list[str]] = {}
        for path, shared in self._linked.items():
            names.setdefault(shared, []).append(path)
        for shared, group in names.items():
            if shared in self._headers:
                self._give(group, self._headers[shared])
            if len(group) > 1:
                self._link(sorted(group))
        written = self._written
        for path, to in self._outer.items():
            # The layer holds only the new file at that path, and nothing below a replaced parent.
            lost = self._below(to) is None
            if lost or to in written or not all(map(self.is_directory, paths.ancestors(to))):
                raise ImpossibleHardLink(path, to, "another file takes that name")
        times = ((path, item[1][6]) for path, item in written.items())
        for parent in missing_parents(times, self._base):
            written[parent.path] = Selected(None, parent)
        for path in self._lacking():
            deletion = whiteout_of(path)  # a file with a whiteout's name is kept, and refused later
            written.setdefault(deletion.path, Selected(None, deletion))
        return tuple([written[path] for path in sorted(written) if written[path][1][1] != SOCKET])

    def _check_link(self, path: str, to: str) -> None:
        """Raise ImpossibleHardLink for a link that link(2) would refuse."""
        if to.startswith(f"{path}/"):
            raise ImpossibleHardLink(path, to, "it replaces the directory that this is in")
        found = self.get(to)
        if found is None or not all(map(self.is_directory, paths.ancestors(to))):
            raise ImpossibleHardLink(path, to, "there is no such file")
        if found.kind == DIRECTORY:
            raise ImpossibleHardLink(path, to, "that is a directory")
        if to == path:
            raise ImpossibleHardLink(path, to, "it replaces that file")

    def _give(self, group: list[str], header: Entry) -> None:
        """Set the metadata of all names of one file."""
        for path in group:
            item = self._written[path]
            self._written[path] = item._replace(entry=item.entry.with_metadata(header))

    def _link(self, group: list[str]) -> None:
        first, *others = group
        for path in others:
            source, entry, _ = self._written[path]
            self._written[path] = Selected(source, entry.hard_link(first))

    def _put(self, place: str, path: str, source: FileTree) -> None:
        entry = source.get(path)
        assert entry is not None
        self._check(place, entry.kind)
        if entry.kind == DIRECTORY:
            self._led.add(place)
        self._write(place, path, entry, source.inode(path) if entry.offset >= 0 else None)

    def _check(self, place: str, kind: str) -> None:
        """Raise NotADirectory or IsADirectory if ``kind`` conflicts with the existing file."""
        old = self.get(place)
        if old is not None and kind == DIRECTORY and old.kind != DIRECTORY:
            raise NotADirectory(place)
        if old is not None and kind != DIRECTORY and old.kind == DIRECTORY:
            raise IsADirectory(place)
        self._linked.pop(place, None)

    def _lead_to(self, where: str, source: FileTree, top: str, path: str) -> None:
        """Write the directories above ``path`` that did not match themselves."""
        for directory in paths.ancestors(path):
            place = paths.below(where, directory)
            if place in self._led:
                continue
            self._led.add(place)
            entry, old = source.get(paths.below(top, directory)), self.get(place)
            assert entry is not None
            if old is None:
                self._write(place, paths.below(top, directory), entry, None)
            elif old.kind != DIRECTORY:
                raise NotADirectory(place)
            elif old.mode != entry.mode:  # BuildKit sets only the mode, to that of the source
                item = self._written.get(place) or Selected(None, old)
                self._set(place, item._replace(entry=old._replace(mode=entry.mode)))

    def _write(self, place: str, path: str, entry: Entry, inode: object) -> None:
        _, kind, mode, uid, gid, size, mtime, link, device, xattrs, digest, _ = entry
        if self._owner is not None:
            uid, gid = self._owner
        if self._mode is not None and kind != SYMLINK:
            mode = self._mode(mode, kind == DIRECTORY)
        self._linked.pop(place, None)
        if inode is not None:
            self._linked[place] = (self._turn, inode)
        row = (place, kind, mode, uid, gid, size, mtime, link, device, xattrs, digest, -1)
        self._set(place, Selected(path, Entry(*row)))

    def _set(self, path: str, item: Selected) -> None:
        self._written[path] = item
        if self._nested is not None:
            self._nested.add(path)

    def _below(self, path: str) -> Entry | None:
        """Return the base's entry at ``path``, None if a directory above it was replaced."""
        if self._emptied and not self._emptied.isdisjoint(paths.ancestors(path)):
            return None
        return self._base.get(path)

    def _forget(self, path: str) -> None:
        gone = [path]
        if self.is_directory(path):
            if self._nested is None:
                self._nested = Nested(self._written)
            gone += self._nested.take_below(path)
            there = self._below(path)
            if there is not None and there.kind == DIRECTORY:
                self._emptied.add(path)
        for name in gone:
            self._written.pop(name, None)
            self._linked.pop(name, None)
            self._outer.pop(name, None)

    def _lacking(self) -> Iterator[str]:
        """Yield the base's paths in directories that were replaced and created again."""
        todo = [path for path in self._emptied if path in self._written]
        seen = set(todo)
        while todo:
            path = todo.pop()
            if not self.is_directory(path):
                continue
            for name in self._base.names(path):
                place = paths.below(path, name)
                item = self._written.get(place)
                if item is None or item.entry.kind == SOCKET:
                    yield place
                elif place not in seen:
                    seen.add(place)
                    todo.append(place)
