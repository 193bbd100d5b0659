"""What a step changed, by one rule for every way of keeping files.

A snapshotter finds candidates in its own way (what an overlay's upper folder holds; what two walks
differ in) and may find too many. What is a change is decided here alone, so that the same commands
give the same layer everywhere.

**Attributes.** A path is listed when it is new or its kind, mode, owner, size, mtime, link text,
device, kept xattrs or content differ from the base. A directory whose mtime alone changed is
listed too, the root ("") as well. A symbolic link has no mode of its own. mtimes count to the
nanosecond: layers hold whole seconds, and what a step leaves is cut to them when it is committed,
so what the next one touches differs even in the same second. No layer depends on how fast the
machine is.

**Deletions.** A whiteout stands for the top-most path that is gone, and never an opaque one: a
directory that was replaced has a whiteout for each of the base's names it lacks. What replaces
something of another kind needs none: appliers remove what is in the way (containerd's and
Docker's: unless both are directories).

**Hard links.** Names of one file, be it a symbolic link, a device or a FIFO, are listed together:
when one of them is listed, all that exist now are, the first in sorted order as what it is and the
others as HARDLINKs to it. So no layer ever links to a file of a lower one. A link that was broken
is a change as well, also where the copies are equal: of such copies the one with the first name
stays unlisted.

**Parents.** Each directory above a listed path is listed too, unchanged (parents.py).

Sockets cannot be in a layer (image-spec layer.md, "File Types"); a name under ``.wh.`` neither.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import NamedTuple

from img.domain.errors import BuildError
from img.domain.filesystem import paths
from img.domain.filesystem.entry import (
    BLOCK,
    CAPABILITY,
    CHARACTER,
    DIRECTORY,
    FILE,
    HARDLINK,
    SYMLINK,
    Entry,
)
from img.domain.filesystem.file_index import WHITEOUT_PREFIX
from img.domain.filesystem.parents import missing_parents
from img.domain.filesystem.tree import FileTree

_OURS = ("user.overlay.", "user.fuseoverlayfs.", "user.img.")


class ReservedName(BuildError):
    """A file whose name means a deletion once it is in a layer."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"/{path} cannot be in a layer: names that start with {WHITEOUT_PREFIX!r} stand for"
            " deleted files",
            hint="remove or rename it before it gets there, or keep it inside an archive",
        )
        self.path = path


class Found(NamedTuple):
    """A path that exists after the step and may have changed."""

    entry: Entry  # under all its names what it is, never HARDLINK
    inode: Hashable = None  # the same for all names of one file; None: it has one name


def is_kept_xattr(name: str) -> bool:
    """Tell whether layers hold the extended attribute ``name``.

    Those of the user and file capabilities are part of a file; what an overlay, ``img`` or a
    security module wrote on it belongs to the machine. Names with "=" are left out, as no tar can
    hold them (POSIX.1-2017 pax, "Extended Header").
    """
    return name == CAPABILITY or (
        name.startswith("user.") and not name.startswith(_OURS) and "=" not in name
    )


def refuse_reserved(path: str) -> None:
    """Raise ReservedName for a path that would be a deletion in a layer."""
    if WHITEOUT_PREFIX in path and paths.name(path).startswith(WHITEOUT_PREFIX):
        raise ReservedName(path)


def whiteout_of(path: str) -> Entry:
    """Return the entry that says ``path`` is gone (image-spec layer.md, "Whiteouts")."""
    directory, slash, name = path.rpartition("/")
    return Entry(f"{directory}{slash}{WHITEOUT_PREFIX}{name}", FILE)


def changes_of(
    base: FileTree, found: Iterable[Found], deleted: Iterable[str], digest: Callable[[str], str]
) -> tuple[Entry, ...]:
    """Return the entries of the layer that leads from ``base`` to what was found, sorted by path.

    ``found`` holds everything that may differ, and with a file all its other names and all that
    were its other names in ``base`` and still exist. An entry that is the very one of
    ``base`` is taken to be unchanged. ``deleted`` holds at least the top-most paths of ``base``
    that are gone. ``digest`` gives the sha256 hex of a file's content and is only asked where all
    else is equal. Raises ReservedName.
    """
    now = {item.entry.path: item for item in found}
    changes = [whiteout_of(path) for path in _topmost(base, set(deleted), now)]
    files: defaultdict[Hashable, list[str]] = defaultdict(list)
    for path, item in now.items():
        refuse_reserved(path)
        if item.inode is not None:
            files[item.inode].append(path)
        elif len(base.linked(path)) > 1:
            files[("alone", path)].append(path)
        elif _differs(base.get(path), item.entry, digest):
            changes.append(_canonical(item.entry))
    for names in _listed(base, [sorted(names) for names in files.values()], now, digest):
        changes.extend(_linked_entries(names, now))
    # Their times are the snapshot's: the next step's changes are told by them.
    parents = missing_parents([(entry.path, 0) for entry in changes], base)
    changes += [_canonical(entry) for entry in parents]
    return tuple(sorted(changes, key=lambda entry: entry.path))


def _topmost(base: FileTree, deleted: set[str], now: dict[str, Found]) -> Iterator[str]:
    for path in deleted:
        parent = paths.parent(path)
        above = now.get(parent)
        replaced = above is not None and above.entry.kind != DIRECTORY
        if parent not in deleted and not replaced and base.get(path) is not None:
            yield path


def _listed(
    base: FileTree,
    groups: Iterable[list[str]],
    now: dict[str, Found],
    digest: Callable[[str], str],
) -> Iterator[list[str]]:
    """Yield the groups of names, each the names of one file, that belong in the layer."""
    unchanged: defaultdict[str, list[list[str]]] = defaultdict(list)
    for names in groups:
        were = base.linked(names[0])
        if were >= set(names) and not any(
            _differs(base.get(name), now[name].entry, digest) for name in names
        ):
            unchanged[min(were)].append(names)
        else:
            yield names
    for parts in unchanged.values():
        # One file of the base that became several: the base's stays what the first part is.
        yield from sorted(parts)[1:]


def _linked_entries(names: list[str], now: dict[str, Found]) -> Iterator[Entry]:
    first = _canonical(now[names[0]].entry)
    yield first
    for name in names[1:]:
        yield first._replace(path=name, kind=HARDLINK, size=0, link=first.path, device=(0, 0))


def _canonical(entry: Entry) -> Entry:
    return entry._replace(
        mode=0o777 if entry.kind == SYMLINK else entry.mode,
        size=entry.size if entry.kind == FILE else 0,
        xattrs=_kept(entry),
        digest="",
        offset=-1,
    )


def _differs(then: Entry | None, now: Entry, digest: Callable[[str], str]) -> bool:
    if then is None or then is now:
        return then is None
    if _attributes(then) != _attributes(now):
        return True
    return now.kind == FILE and now.size > 0 and then.digest != digest(now.path)


def _attributes(entry: Entry) -> tuple[object, ...]:
    kind = entry.kind
    return (
        kind,
        0o777 if kind == SYMLINK else entry.mode,
        entry.uid,
        entry.gid,
        entry.size if kind == FILE else 0,
        entry.mtime,
        entry.link if kind == SYMLINK else "",
        entry.device if kind in (CHARACTER, BLOCK) else (0, 0),
        _kept(entry),
    )


def _kept(entry: Entry) -> tuple[tuple[str, bytes], ...]:
    return tuple(pair for pair in entry.xattrs if is_kept_xattr(pair[0]))
