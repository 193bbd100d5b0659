"""The file tree of an image, without unpacked files."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from collections.abc import Set as AbstractSet

from img.domain.errors import BuildError, ContextError, ImgError
from img.domain.filesystem import paths
from img.domain.filesystem.changed_mapping import ChangedMapping
from img.domain.filesystem.entry import DIRECTORY, HARDLINK, SYMLINK, Entry
from img.domain.filesystem.file_index import OPAQUE_WHITEOUT, WHITEOUT_PREFIX, FileIndex

_MOST_LINKS = 255  # BuildKit's limit

_ROOT = Entry("", DIRECTORY, 0o755)
# How many times fewer changes than entries there have to be, or a copy is made: each lookup in a
# copy takes a fifth of the time.
_FEW = 8


class TooManyLinks(BuildError):
    """Circular symbolic links."""

    preamble = ""  # also of commands that only read an image

    def __init__(self, path: str) -> None:
        super().__init__(f"too many levels of symbolic links at /{path.strip('/')}")
        self.path = path


class DanglingHardLink(ImgError):
    """A layer with a hard link to a missing file."""

    exit_code = 6

    def __init__(self, path: str, target: str) -> None:
        super().__init__(f"layer is broken: /{path} is a hard link to /{target}, which is missing")


class ClosedDirectory(BuildError):
    """A needed directory of a build context that may not be read."""

    exit_code = ContextError.exit_code

    def __init__(self, path: str, reason: str) -> None:
        hint = "make it readable, or leave it out with .dockerignore"
        super().__init__(f"open {path or '.'}: {reason}", hint=hint)
        self.path = path


def resolve_links(
    find: Callable[[str], Entry | None], path: str, *, top: str = "", follow: bool = True
) -> str:
    """Return ``path`` below ``top`` with symbolic links resolved; missing parts are kept.

    ``find`` returns the entry at a path. ``top`` is the root directory for ``path`` and for links:
    neither ``..`` nor an absolute link leads out of it. With ``follow`` False a link in the last
    component is kept. Raises TooManyLinks.
    """
    todo = _parts(path)
    done = ""
    links = 0
    while todo:
        part = todo.pop()
        if part == "..":
            done = paths.parent(done)
            continue
        here = f"{done}/{part}" if done else part
        entry = find(paths.below(top, here) if top else here)
        if entry is None or entry.kind != SYMLINK or (not todo and not follow):
            done = here
            continue
        links += 1
        if links > _MOST_LINKS:
            raise TooManyLinks(path)
        if entry.link.startswith("/"):
            done = ""
        todo += _parts(entry.link)
    return paths.below(top, done)


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part and part != "."][::-1]


class FileTree:
    """The layers' indexes merged with their whiteouts (image-spec layer.md, "Applying Changesets").

    Paths are clean and relative; "" is the root. Hard links are represented by their file.
    """

    def __init__(self) -> None:
        self._entries: MutableMapping[str, Entry] = {"": _ROOT}
        self._layers: MutableMapping[str, int] = {}  # without those in the bottom layer
        self._names: MutableMapping[str, set[str]] = {"": set()}  # only directories are keys
        # The directories with names of their own, all but these share them with the tree below;
        # None: no tree is below.
        self._owned: set[str] | None = None
        self._links: dict[str, set[str]] = {}  # of files that have, or had, several names
        self._depth = 0
        self._closed: Mapping[str, str] = {}
        self._sorted_closed: list[str] = []

    @classmethod
    def of(cls, layers: Iterable[FileIndex]) -> "FileTree":
        """Return the merged tree of ``layers``, lowest first. Raises DanglingHardLink."""
        tree = cls()
        for layer in layers:
            tree._apply(layer)
        return tree

    @classmethod
    def of_files(
        cls, entries: Iterable[Entry], closed: Mapping[str, str] | None = None
    ) -> "FileTree":
        """Return the tree of files outside of layers: ``.wh.`` names are ordinary names.

        Paths are clean and unique, and parents come first. There are no HARDLINKs: names of one
        file share an ``offset`` instead. An entry "" is the root. ``closed`` maps unreadable
        directories to the reason.
        """
        tree = cls()
        tree._closed = closed or {}
        tree._sorted_closed = sorted(tree._closed)
        known, names = tree._entries, tree._names
        for entry in entries:
            path = entry[0]
            known[path] = entry
            if not path:
                continue
            directory, _, name = path.rpartition("/")
            names[directory].add(name)
            if entry[1] == DIRECTORY:
                names[path] = set()
        return tree

    @classmethod
    def of_archive(cls, members: FileIndex) -> "FileTree":
        """Return the tree of an archive that is no layer: ``.wh.`` names are ordinary names.

        Raises DanglingHardLink.
        """
        tree = cls()
        for entry in members:
            tree._put(entry)
        return tree

    def with_layer(self, layer: FileIndex) -> "FileTree":
        """Return the tree with one more layer on top. Raises DanglingHardLink."""
        tree = FileTree()
        few = self._has_few_changes(len(layer))
        tree._entries = ChangedMapping(self._entries) if few else dict(self._entries)
        tree._layers = ChangedMapping(self._layers) if few else dict(self._layers)
        tree._names = ChangedMapping(self._names) if few else dict(self._names)
        tree._owned = set()
        copies = {id(names): set(names) for names in self._links.values()}
        tree._links = {path: copies[id(names)] for path, names in self._links.items()}
        tree._depth = self._depth
        tree._apply(layer)
        return tree

    def _has_few_changes(self, more: int) -> bool:
        """Return whether ``more`` entries are best noted as changes of this tree."""
        before = self._entries.changes if isinstance(self._entries, ChangedMapping) else 0
        return (before + more) * _FEW < len(self._entries)

    def __len__(self) -> int:
        return len(self._entries) - 1

    def get(self, path: str) -> Entry | None:
        """Return the entry at ``path`` without following links. The root always exists."""
        return self._entries.get(path)

    def layer_of(self, path: str) -> int:
        """Return the number of the layer with the content of ``path``; the bottom one is 0."""
        return self._layers.get(path, 0)

    def is_directory(self, path: str) -> bool:
        """Return whether ``path`` itself is a directory; links are not followed."""
        return path in self._names

    def names(self, path: str) -> list[str]:
        """Return the sorted names in the directory ``path``, none for another file."""
        return sorted(self._names.get(path, ()))

    def refuse_closed(self, path: str, *, below: bool = False) -> None:
        """Raise ClosedDirectory if ``path``, or its contents, could not be read.

        Links are not followed. With ``below``, the whole tree at ``path`` is checked.
        """
        if not self._closed:
            return
        for directory in ("", *paths.ancestors(path), path):
            if directory in self._closed:
                raise ClosedDirectory(directory, self._closed[directory])
        if below:
            start = f"{path}/" if path else ""
            place = bisect_left(self._sorted_closed, start)
            for directory in self._sorted_closed[place : place + 1]:
                if directory.startswith(start):
                    raise ClosedDirectory(directory, self._closed[directory])

    def walk(self, path: str) -> Iterator[Entry]:
        """Yield ``path`` and all paths below it; parents come first, names are sorted."""
        entries, names = self._entries, self._names
        todo = [path] if path in entries else []
        while todo:  # a recursion would pass each entry on at each level
            path = todo.pop()
            entry = entries[path]
            yield entry
            if entry[1] == DIRECTORY:
                top = f"{path}/" if path else ""
                todo += [top + name for name in sorted(names.get(path, ()), reverse=True)]

    def inode(self, path: str) -> tuple[int, int] | None:
        """Return the inode that all names of one regular file share; None for another file."""
        entry = self.get(path)
        if entry is None or entry.offset < 0:
            return None
        return self._layers.get(path, 0), entry.offset

    def linked(self, path: str) -> AbstractSet[str]:
        """Return all names of the file at ``path``, including ``path``; a directory has one."""
        return self._links.get(path) or {path}

    def linked_files(self) -> list[AbstractSet[str]]:
        """Return the names of each file of any kind that has several."""
        return [names for names in self.once_linked_files() if len(names) > 1]

    def once_linked_files(self) -> list[AbstractSet[str]]:
        """Return the same, and the last name of each file that had several names before."""
        return list({id(names): names for names in self._links.values()}.values())

    def resolve(self, path: str, *, follow: bool = True) -> str:
        """Return ``path`` with symbolic links resolved inside the tree; missing parts are kept.

        With ``follow`` False a link in the last component is kept. Raises TooManyLinks.
        """
        return resolve_links(self.get, path, follow=follow)

    def place(self, path: str) -> str:
        """Return the place of a layer's entry ``path``, with links among its parents resolved."""
        directory = paths.parent(path)
        if directory in self._names:
            return path
        directory = self.resolve(directory)
        return f"{directory}/{paths.name(path)}" if directory else paths.name(path)

    def _apply(self, layer: FileIndex) -> None:
        self._delete_whiteouts(layer)
        entries, layers, names, depth = self._entries, self._layers, self._names, self._depth
        owned = self._owned
        for entry in layer.entries:
            path, kind = entry[0], entry[1]
            directory, _, name = path.rpartition("/")
            if (
                path in entries
                or directory not in names
                or (owned is not None and directory not in owned)
                or kind == HARDLINK
                or name.startswith(WHITEOUT_PREFIX)
            ):
                self._add(entry)
                continue
            # _add, inlined for a new file in an existing directory: this runs for 10^5 files.
            names[directory].add(name)
            entries[path] = entry
            if depth:
                layers[path] = depth
            if kind == DIRECTORY:
                self._add_directory(path)
        self._depth += 1

    def _delete_whiteouts(self, layer: FileIndex) -> None:
        # All whiteouts first: they hide only lower layers, at any place in the tar.
        if not self._depth:
            return
        for path in layer.paths_with(WHITEOUT_PREFIX):
            name = paths.name(path)
            if not name.startswith(WHITEOUT_PREFIX):
                continue
            where = paths.parent(self.place(path))
            if name == OPAQUE_WHITEOUT:
                for child in self.names(where):
                    self._remove(f"{where}/{child}" if where else child)
            else:
                hidden = name.removeprefix(WHITEOUT_PREFIX)
                self._remove(f"{where}/{hidden}" if where else hidden)

    def _add(self, entry: Entry) -> None:
        if not paths.name(entry.path).startswith(WHITEOUT_PREFIX):
            self._put(entry)

    def _put(self, entry: Entry) -> None:
        if not entry.path:
            self._entries[""] = entry
            return
        path = self.place(entry.path)
        layer = self._depth
        target = None
        if entry.kind == HARDLINK:
            target = self.place(paths.clean(entry.link))
            linked = self._entries.get(target)
            if linked is None or linked.kind == DIRECTORY:
                raise DanglingHardLink(path, target)
            layer = self._layers.get(target, 0)
            entry = linked
        if entry.path != path:
            entry = entry._replace(path=path)
        directory = paths.parent(path)
        if directory not in self._names:
            self._imply(directory)
        if entry.kind == DIRECTORY:
            if path not in self._names:
                self._remove(path)
                self._add_directory(path)
        elif path in self._names:
            self._remove(path)
        self._unlink(path)
        if target is not None:
            names = self._links.setdefault(target, {target})
            names.add(path)
            self._links[path] = names
        self._own_names(directory).add(paths.name(path))
        self._entries[path] = entry
        self._set_layer(path, layer)

    def _set_layer(self, path: str, layer: int) -> None:
        if layer:
            self._layers[path] = layer
        else:
            self._layers.pop(path, None)

    def _own_names(self, directory: str) -> set[str]:
        """Return the names in ``directory`` as a set that may be changed."""
        if self._owned is not None and directory not in self._owned:
            self._owned.add(directory)
            self._names[directory] = set(self._names[directory])
        return self._names[directory]

    def _add_directory(self, path: str) -> None:
        self._names[path] = set()
        if self._owned is not None:
            self._owned.add(path)

    def _imply(self, directory: str) -> None:
        for path in [*paths.ancestors(directory), directory]:
            if path not in self._names:
                self._remove(path)
                self._add_directory(path)
                self._own_names(paths.parent(path)).add(paths.name(path))
                self._entries[path] = Entry(path, DIRECTORY, 0o755)
                self._set_layer(path, self._depth)

    def _remove(self, path: str) -> None:
        if path not in self._entries or not path:
            return
        self._forget(path)
        self._own_names(paths.parent(path)).discard(paths.name(path))

    def _forget(self, path: str) -> None:
        if self._owned is not None:
            self._owned.discard(path)
        for name in self._names.pop(path, ()):
            self._forget(f"{path}/{name}")
        self._unlink(path)
        del self._entries[path]
        self._layers.pop(path, None)

    def _unlink(self, path: str) -> None:
        names = self._links.pop(path, None)
        if names:
            names.discard(path)
