"""The files of an image for output: without layers and whiteouts."""

from collections.abc import Iterable, Iterator

from img.domain.filesystem import paths
from img.domain.filesystem.entry import BLOCK, CHARACTER, DIRECTORY, FILE, HARDLINK, Entry
from img.domain.filesystem.tree import FileTree


def files_in(tree: FileTree, top: str = "", *, without: str = "") -> Iterator[Entry]:
    """Yield the entries of ``tree`` without its root: parents first, names sorted.

    With ``top``, they are that path and all below it. The directory ``without``, a name in the
    root, is left out.

    A file with several names has the first one; the other names are hard links to it.
    """
    first: dict[int, str] = {}
    for entry in tree.walk(top):
        if not entry.path or (without and entry.path.partition("/")[0] == without):
            continue
        names = tree.linked(entry.path)
        if len(names) == 1 or first.setdefault(id(names), entry.path) == entry.path:
            yield entry
        else:
            yield entry._replace(
                kind=HARDLINK,
                link=first[id(names)],
                size=0,
                device=(0, 0),
                digest="",
                offset=-1,
                xattrs=(),
            )


def moved_below(folder: str, entry: Entry) -> Entry:
    """Return ``entry`` with paths for a tree inside of ``folder``."""
    if not folder:
        return entry
    link = f"{folder}/{entry.link}" if entry.kind == HARDLINK else entry.link
    return entry._replace(path=f"{folder}/{entry.path}", link=link)


def moved_from(top: str, name: str, entry: Entry) -> Entry:
    """Return ``entry``, which is ``top`` or below it, for a tree where ``name`` is in its place.

    Without a name, what is below ``top`` is in the root of that tree.
    """
    start = len(top) + 1 if top else 0
    path = paths.below(name, entry.path[start:])
    link = paths.below(name, entry.link[start:]) if entry.kind == HARDLINK else entry.link
    return entry._replace(path=path, link=link)


def without_privileges(entry: Entry) -> Entry:
    """Return ``entry`` with only the attributes that a user may set on own files."""
    if not entry.xattrs:
        return entry
    kept = tuple(pair for pair in entry.xattrs if pair[0].startswith("user."))
    return entry._replace(xattrs=kept)


def creatable(entries: Iterable[Entry], *, owners: bool) -> tuple[list[Entry], list[str]]:
    """Return the entries that can be created, and the paths of devices, which need ``owners``."""
    if owners:
        return list(entries), []
    made, left_out = [], []
    for entry in entries:
        if entry.kind in (CHARACTER, BLOCK):
            left_out.append(entry.path)
        else:
            made.append(without_privileges(entry))
    gone = frozenset(left_out)
    return [each for each in made if each.kind != HARDLINK or each.link not in gone], left_out


def in_order_of_making(entries: Iterable[Entry]) -> tuple[list[Entry], list[Entry], list[Entry]]:
    """Return entries without content (directories first), files with content, and hard links."""
    known = list(entries)
    directories = [entry for entry in known if entry.kind == DIRECTORY]
    filled = [entry for entry in known if entry.kind == FILE and entry.size]
    links = [entry for entry in known if entry.kind == HARDLINK]
    others = [
        entry
        for entry in known
        if entry.kind not in (DIRECTORY, HARDLINK) and not (entry.kind == FILE and entry.size)
    ]
    return directories + others, filled, links
