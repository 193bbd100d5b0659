"""The tree that a COPY writes onto, and what it has written so far."""

import hashlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

from img.domain.errors import BuildError
from img.domain.filesystem import paths
from img.domain.filesystem.entry import DIRECTORY, FILE, HARDLINK, SYMLINK, Entry
from img.domain.filesystem.parents import missing_parents
from img.domain.filesystem.tree import FileTree, TooManyLinks

_MOST_LINKS = 255
_ROOT = Entry("", DIRECTORY)


class NotADirectory(BuildError):
    """A directory where there is something else (BuildKit's words)."""

    def __init__(self, path: str) -> None:
        super().__init__(f"cannot copy to non-directory: /{path}")
        self.path = path


class IsADirectory(BuildError):
    """A file where there is a directory (BuildKit's words)."""

    def __init__(self, path: str) -> None:
        super().__init__(f"cannot replace to directory /{path} with file")
        self.path = path


class ImpossibleHardLink(BuildError):
    """A hard link of an archive that no file system could hold."""

    def __init__(self, path: str, target: str, reason: str) -> None:
        super().__init__(f"cannot make /{path} a hard link to /{target}: {reason}")


class Selected(NamedTuple):
    """An entry of the layer to be, and where its content comes from."""

    source: str | None  # path in the source; None: a directory made, or text of the Dockerfile
    entry: Entry  # as it is to be written
    member: str = ""  # the source is an archive: the entry's path in it; inline text: its name


class Target:
    """``base`` and what is written over it. Paths are clean; links in them are resolved first.

    ``owner`` and ``mode`` are applied to all that is written, ``mtime`` to what has none.
    """

    def __init__(
        self,
        base: FileTree,
        *,
        owner: tuple[int, int] | None,
        mode: Callable[[int, bool], int] | None,
        mtime: int,
    ) -> None:
        self._base = base
        self._owner = owner
        self._mode = mode
        self._mtime = mtime
        self._written: dict[str, Selected] = {}
        self._linked: dict[str, object] = {}  # path -> what its other names share
        self._turn = 0

    def next_source(self) -> None:
        """Begin the next source: hard links hold together within one source only."""
        self._turn += 1

    def get(self, path: str) -> Entry | None:
        """Return the entry at exactly ``path``."""
        written = self._written.get(path)
        return self._base.get(path) if written is None else written.entry

    def is_directory(self, path: str) -> bool:
        """Tell whether ``path`` itself is a directory."""
        entry = self.get(path)
        return entry is not None and entry.kind == DIRECTORY

    def resolve(self, path: str) -> str:
        """Return ``path``, clean, with links followed, missing parts kept. Raises TooManyLinks."""
        todo = _parts(path)
        done = ""
        links = 0
        while todo:
            part = todo.pop()
            if part == "..":
                done = paths.parent(done)
                continue
            here = f"{done}/{part}" if done else part
            entry = self.get(here)
            if entry is None or entry.kind != SYMLINK:
                done = here
                continue
            links += 1
            if links > _MOST_LINKS:
                raise TooManyLinks(path)
            if entry.link.startswith("/"):
                done = ""
            todo += _parts(entry.link)
        return done

    def make_directories(self, path: str, *, mtime: int | None = None) -> None:
        """Make ``path`` and its missing parents; what is there stays as it is.

        They are 0755, changed by --chmod as the files are (BuildKit's e2e: testCopyChmod).
        Raises NotADirectory.
        """
        uid, gid = self._owner or (0, 0)
        mode = 0o755 if self._mode is None else self._mode(0o755, True)
        if not path or self.is_directory(path):
            return
        for directory in [*paths.ancestors(path), path]:
            there = self.get(directory)
            if there is None:
                when = self._mtime if mtime is None else mtime
                made = Entry(directory, DIRECTORY, mode, uid, gid, mtime=when)
                self._written[directory] = Selected(None, made)
            elif there.kind != DIRECTORY:
                raise NotADirectory(directory)

    def put(self, path: str, source: str, entry: Entry, inode: object = None) -> None:
        """Write ``entry``, no directory, at ``path``. Raises IsADirectory, NotADirectory."""
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
        """Write all that is below the directory ``top`` of ``source`` to below ``where``.

        Raises IsADirectory, NotADirectory.
        """
        get, names, written, base = source.get, source.names, self._written, self._base.get
        owner, mode_of, make = self._owner, self._mode, tuple.__new__
        todo = [(top, where)]
        while todo:
            directory, target = todo.pop()
            above = f"{directory}/" if directory else ""
            prefix = f"{target}/" if target else ""
            for name in names(directory):
                # _put and _write, spelt out: 10^5 files pass here.
                path, place = above + name, prefix + name
                _, kind, mode, uid, gid, size, mtime, link, device, xattrs, digest, offset = (
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

    def put_matching(
        self,
        where: str,
        source: FileTree,
        top: str,
        *,
        only: Sequence[str],
        wanted: Callable[[str], bool],
    ) -> None:
        """Write those below ``top`` that are ``wanted`` by their path relative to it.

        ``only`` has the single names to look at on the first levels. Raises IsADirectory,
        NotADirectory.
        """
        todo = [("", len(only))]
        while todo:
            directory, narrow = todo.pop()
            for name in source.names(_join(top, directory)):
                if narrow and name != only[-narrow]:
                    continue
                path = _join(directory, name)
                entry = source.get(_join(top, path))
                assert entry is not None
                if entry.kind == DIRECTORY:
                    todo.append((path, max(0, narrow - 1)))
                if wanted(path):
                    self._lead_to(where, source, top, path)
                    self._put(_join(where, path), _join(top, path), source)

    def unpack(self, where: str, source: str, members: Sequence[Entry]) -> None:
        """Write the entries of the archive ``source`` to below ``where``, later over earlier.

        As tar does: links among the parents are followed, what is in the way is replaced.
        Raises NotADirectory, ImpossibleHardLink.
        """
        for member in members:
            if not member.path:
                continue  # "./": the directory is there already and keeps what it has
            path = self._place(where, member.path)
            self.make_directories(paths.parent(path))
            entry = member
            if member.kind == HARDLINK:
                target = self._place(where, paths.clean(member.link))
                self._check_link(path, target)
                if target in self._written:
                    self._share(target, path)
                    continue
                entry = member._replace(link=target)
            if not (member.kind == DIRECTORY and self.is_directory(path)):
                self._forget(path)
            uid, gid = self._owner or (member.uid, member.gid)
            entry = entry._replace(path=path, uid=uid, gid=gid)
            self._written[path] = Selected(source, entry, member.path)

    def items(self) -> tuple[Selected, ...]:
        """Return what was written and what is above it, sorted by path, with the hard links."""
        names: dict[object, list[str]] = {}
        for path, shared in self._linked.items():
            names.setdefault(shared, []).append(path)
        for group in names.values():
            if len(group) > 1:
                self._link(sorted(group))
        written = self._written
        times = [(path, item[1][6]) for path, item in written.items()]
        for parent in missing_parents(times, self._base):
            written[parent.path] = Selected(None, parent)
        return tuple([written[path] for path in sorted(written)])

    def _check_link(self, path: str, target: str) -> None:
        """Raise ImpossibleHardLink for one to a directory, or in place of its target's parent."""
        if target.startswith(f"{path}/"):
            raise ImpossibleHardLink(path, target, "it replaces the directory that this is in")
        found = self.get(target)
        if found is not None and found.kind == DIRECTORY:
            raise ImpossibleHardLink(path, target, "that is a directory")

    def _share(self, path: str, other: str) -> None:
        """Let what was written be at another path as well: which is the link, sorting decides."""
        if path == other:
            return
        self._forget(other)
        source, entry, member = self._written[path]
        self._written[other] = Selected(source, entry._replace(path=other), member)
        self._linked[other] = self._linked.setdefault(path, object())

    def _link(self, group: list[str]) -> None:
        first, *others = group
        for path in others:
            source, entry, _ = self._written[path]
            link = entry._replace(kind=HARDLINK, link=first, size=0, digest="", xattrs=())
            self._written[path] = Selected(source, link)

    def _put(self, place: str, path: str, source: FileTree) -> None:
        entry = source.get(path)
        assert entry is not None
        self._check(place, entry.kind)
        self._write(place, path, entry, source.inode(path) if entry.offset >= 0 else None)

    def _check(self, place: str, kind: str) -> None:
        """Raise NotADirectory or IsADirectory where ``kind`` does not fit what is there."""
        old = self.get(place)
        if old is not None and kind == DIRECTORY and old.kind != DIRECTORY:
            raise NotADirectory(place)
        if old is not None and kind != DIRECTORY and old.kind == DIRECTORY:
            raise IsADirectory(place)
        self._linked.pop(place, None)

    def _lead_to(self, where: str, source: FileTree, top: str, path: str) -> None:
        """Write the directories above ``path`` that were not wanted for themselves."""
        for directory in paths.ancestors(path):
            place = _join(where, directory)
            if place in self._written:
                continue
            entry, old = source.get(_join(top, directory)), self._base.get(place)
            assert entry is not None
            if old is None:
                self._write(place, _join(top, directory), entry, None)
            elif old.kind != DIRECTORY:
                raise NotADirectory(place)
            elif old.mode != entry.mode:  # BuildKit sets the mode, and nothing else
                self._written[place] = Selected(None, old._replace(mode=entry.mode))

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
        self._written[place] = Selected(path, Entry(*row))

    def _place(self, where: str, path: str) -> str:
        above = self.resolve(_join(where, paths.parent(path)))
        return _join(above, paths.name(path))

    def _forget(self, path: str) -> None:
        below = f"{path}/"
        for written in [name for name in self._written if name == path or name.startswith(below)]:
            del self._written[written]
            self._linked.pop(written, None)


def _join(directory: str, path: str) -> str:
    return f"{directory}/{path}" if directory and path else directory or path


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part and part != "."][::-1]
