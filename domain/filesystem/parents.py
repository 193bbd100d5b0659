"""Parent directories in layers: each parent of a change has an entry, as in the merged tree.

Docker, podman and containerd stack layers as overlays. A directory without an entry in a layer that
holds files of it gets mode 0755 and owner root there, and hides the real one of the layers below
(image-spec issue 1221). So every layer of COPY, ADD, WORKDIR or RUN has an entry for each directory
above its other entries, with mode, owner, xattrs and time. The root has an entry only if it
changed: unpackers take it from the layer below.
"""

from collections.abc import Iterable, Iterator

from img.domain.filesystem import paths
from img.domain.filesystem.entry import DIRECTORY, Entry
from img.domain.filesystem.tree import FileTree

_SET_GROUP_ID = 0o2000


def made_below(parent: Entry, made: Entry, *, chosen: bool) -> Entry:
    """Return the new directory ``made`` with the attributes that mkdir(2) sets in ``parent``.

    In a set-group-ID directory a new one inherits that bit and the group. If the owner is
    ``chosen``, a chown(2) follows, which keeps the bit on directories (inode(7), "S_ISGID").
    BuildKit sets no mode after mkdir(2) for parents in COPY, ADD and WORKDIR (fsutil copy/mkdir.go,
    "MkdirAll"), nor for the implied directories of an archive (go-archive archive.go,
    "createImpliedDirectories").
    """
    if not parent.mode & _SET_GROUP_ID:
        return made
    gid = made.gid if chosen else parent.gid
    return made._replace(mode=made.mode | _SET_GROUP_ID, gid=gid)


def missing_parents(entries: Iterable[tuple[str, int]], base: FileTree) -> Iterator[Entry]:
    """Yield the directories of ``base`` above the layer's entries that are not among them.

    ``entries`` are the paths and a time in nanoseconds each. A directory that directly holds a new
    entry is at least as new as that entry, because caches (of fonts, of icons) compare its time.
    With 0 a directory keeps its own time.
    """
    present: set[str] = set()
    newest: dict[str, int] = {}  # by directory
    for path, mtime in entries:
        present.add(path)
        directory = paths.parent(path)
        if mtime > newest.get(directory, -1):
            newest[directory] = mtime
    above: set[str] = set()
    for nearest in newest:
        directory = nearest
        while directory and directory not in above:
            above.add(directory)
            directory = paths.parent(directory)
    for directory in above - present:
        there = base.get(directory)
        if there is not None and there.kind == DIRECTORY:
            yield there._replace(mtime=max(there.mtime, newest.get(directory, 0)))
