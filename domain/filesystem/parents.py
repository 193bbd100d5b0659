"""The directories above what a layer changes: each has an entry, as the merged tree has it.

Docker, podman and containerd put layers on one another as overlays: a directory that a layer holds
files of and no entry for becomes 0755 and root's there, and hides the real one of the layers below
(image-spec issue 1221). So every layer that is made here, of COPY, ADD, WORKDIR or RUN, has an
entry for each directory above its other entries, with mode, owner, xattrs and time. The root itself
has none unless it changed: unpackers take it from the layer below.
"""

from collections.abc import Iterable, Iterator

from img.domain.filesystem import paths
from img.domain.filesystem.entry import DIRECTORY, Entry
from img.domain.filesystem.tree import FileTree

_SET_GROUP_ID = 0o2000


def made_below(parent: Entry, made: Entry, *, chosen: bool) -> Entry:
    """Return the new directory ``made`` as mkdir(2) leaves it in ``parent``.

    Below a set-group-ID directory a new one has that bit too, and the group, unless the owner is
    ``chosen``: then it is given to that owner, which leaves the bit on directories (inode(7),
    "S_ISGID"). BuildKit sets no mode after mkdir(2) on the way of COPY, ADD and WORKDIR (fsutil
    copy/mkdir.go, "MkdirAll"), nor for what an archive implies (go-archive archive.go,
    "createImpliedDirectories").
    """
    if not parent.mode & _SET_GROUP_ID:
        return made
    gid = made.gid if chosen else parent.gid
    return made._replace(mode=made.mode | _SET_GROUP_ID, gid=gid)


def missing_parents(entries: Iterable[tuple[str, int]], base: FileTree) -> Iterator[Entry]:
    """Yield the directories of ``base`` that are above the layer's entries and not among them.

    ``entries`` are the paths of all of them and a time in nanoseconds, which reaches the directory
    right above: a directory that gets a new entry is at least as new as that, so that what goes by
    its time (caches of fonts, of icons) notices. With 0 each keeps its own time.
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
