"""Changes of a step, by one rule for all snapshotters.

A snapshotter finds candidates in its own way (the contents of an overlay's upper directory; the
differences of two walks) and may find too many. Only this module decides on changes, so that the
same commands make the same layer everywhere.

**Attributes.** A path is listed if it is new or its kind, mode, owner, size, mtime, link text,
device, kept xattrs or content differ from the base. A directory with only a new mtime is
listed too, also the root (""). A symbolic link has no mode. mtimes are compared in nanoseconds:
layers hold whole seconds, and the files of a step are truncated to seconds at commit, so a change
by the next step differs even within the same second. No layer depends on the machine's speed.

**Deletions.** A whiteout marks the top-most deleted path. There are no opaque whiteouts: a replaced
directory has a whiteout for each of the base's names that it lacks. A file that replaces one of
another kind needs none: unpackers remove the old file (containerd's and Docker's: unless both are
directories).

**Hard links.** The names of one file (also of a symbolic link, a device or a FIFO) are listed
together: if one of them is listed, all existing ones are, the first in sorted order as the file and
the others as HARDLINKs to it. So a layer never links to a file of a lower layer. A broken link is a
change even if the copies are equal: of equal copies, the one with the first name is not listed.

**Parents.** Each directory above a listed path is listed too, unchanged (parents.py).

Sockets and ``.wh.`` names cannot be in a layer (image-spec layer.md, "File Types", "Whiteouts").
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
    """A file with a name that means a deletion in a layer."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"/{path} cannot be in a layer: names that start with {WHITEOUT_PREFIX!r} stand for"
            " deleted files",
            hint="remove or rename it before it gets there, or keep it inside an archive",
        )
        self.path = path


class Found(NamedTuple):
    """A path that exists after the step and may have changed."""

    entry: Entry  # the file itself under all its names, never HARDLINK
    inode: Hashable = None  # equal for all names of one file; None: it has one name


def is_kept_xattr(name: str) -> bool:
    """Return whether layers hold the extended attribute ``name``.

    User attributes and file capabilities are part of a file; those of overlays, ``img`` and
    security modules belong to the machine. Names with "=" are left out, because tar cannot hold
    them (POSIX.1-2017 pax, "Extended Header").
    """
    return name == CAPABILITY or (
        name.startswith("user.") and not name.startswith(_OURS) and "=" not in name
    )


def refuse_reserved(path: str) -> None:
    """Raise ReservedName for a path that means a deletion in a layer."""
    if WHITEOUT_PREFIX in path and paths.name(path).startswith(WHITEOUT_PREFIX):
        raise ReservedName(path)


def whiteout_of(path: str) -> Entry:
    """Return the whiteout of ``path`` (image-spec layer.md, "Whiteouts")."""
    directory, slash, name = path.rpartition("/")
    return Entry(f"{directory}{slash}{WHITEOUT_PREFIX}{name}", FILE)


def changes_of(
    base: FileTree, found: Iterable[Found], deleted: Iterable[str], digest: Callable[[str], str]
) -> tuple[Entry, ...]:
    """Return the entries of the layer with the changes from ``base``, sorted by path.

    ``found`` holds all paths that may differ. With a file it also holds its other names, and its
    existing other names in ``base``. An entry that is the same object as in ``base`` is unchanged.
    ``deleted`` holds at least the top-most deleted paths of ``base``. ``digest`` returns the sha256
    hex of a file's content; it is called only if all attributes are equal. Raises ReservedName.
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
    # They keep the snapshot's times, which the next step's changes are compared with.
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
    """Yield the changed files, each as the group of its names."""
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
        # One file of the base became several: the first part stays the base's file.
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
