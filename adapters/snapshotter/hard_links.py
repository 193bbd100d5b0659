"""Hard links of the layers below that an overlay would break.

A write through one name of a file copies the file into the upper directory under that name. With
``index=on`` the other names show the copy while the overlay is mounted, yet have no name in the
upper directory. Without, which is all a user namespace gets (the kernel wants CAP_DAC_READ_SEARCH
of the first one), they go on to show the old file. Both are mended here after the step.

The kernel does not say whose copy a file is (no ``overlay.origin`` without an index when the file
has several names). So files with several names carry a mark, an xattr that copying up keeps. It is
``user.img.links``, which no layer shows. What stays unknown without an index: ``cp -a x y; mv y x``
breaks a link, and looks here like a write through it.
"""

import contextlib
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from img.adapters.linux.ownership import Ownership
from img.adapters.snapshotter.attributes import MARK, set_directory
from img.adapters.snapshotter.upper import UpperDirectory
from img.domain.filesystem import paths
from img.domain.filesystem.entry import DIRECTORY, HARDLINK, Entry
from img.domain.filesystem.file_index import FileIndex
from img.domain.filesystem.tree import FileTree
from img.domain.oci.chain import ChainID


def lower_path(lowers: Iterable[str], path: str) -> str | None:
    """Return where the file is that a stack of layers, topmost first, shows at ``path``.

    ``path`` has to be visible; None if no layer has it.
    """
    for lower in lowers:
        if all(_is_directory(f"{lower}/{parent}") for parent in paths.ancestors(path)):
            found = f"{lower}/{path}"
            if os.path.lexists(found):
                return found
    return None


def mark_links(directory: str, layer: FileIndex, below: FileTree | None, chain_id: ChainID) -> None:
    """Mark the files in the layer's ``directory`` that have several names.

    ``below`` is the tree that the layer's links lead through, None for a layer without any.
    """
    for entry in layer:
        if entry.kind == HARDLINK:
            path = f"{directory}/{below.place(entry.path) if below else entry.path}"
            # Not there: it went through a link of the layer's own. Not marked, it is not mended.
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                status = os.lstat(path)
                if stat.S_ISREG(status.st_mode):
                    os.setxattr(path, MARK, f"{chain_id.encoded[:32]}:{status.st_ino}".encode())


def restore_links(
    directory: str,
    index: str,
    upper: UpperDirectory,
    base: FileTree,
    lowers: Sequence[str],
    ownership: Ownership,
) -> bool:
    """Give files that were copied up all their names again, in the upper directory as well.

    ``index`` is where the kernel keeps the copies if it has an index. Tells whether anything was
    done; ``upper`` is out of date then.
    """
    indexed = os.path.isdir(index)
    copies = _indexed(index) if indexed else upper.marks
    if not copies:
        return False
    files = _marked_files(base, lowers)
    done = False
    for path in sorted(copies):
        names = files.get(copies[path], frozenset())
        if not indexed and not _is_one_of(path, names, upper):
            continue
        source = f"{index}/{path}" if indexed else f"{directory}/{path}"
        for name in sorted(names):
            if upper.shows(name) and not os.path.lexists(f"{directory}/{name}"):
                link_into(directory, source, name, base, ownership)
                done = True
    return done


def link_into(directory: str, source: str, name: str, base: FileTree, ownership: Ownership) -> None:
    """Make ``name`` in ``directory`` a hard link to ``source``; no directory's mtime changes."""
    make_parents(directory, name, base, ownership)
    target = f"{directory}/{name}"
    parent = os.path.dirname(target)
    before = os.stat(parent)
    os.link(source, target, follow_symlinks=False)
    os.utime(parent, ns=(before.st_atime_ns, before.st_mtime_ns))


def make_parents(directory: str, name: str, base: FileTree, ownership: Ownership) -> None:
    """Make the missing directories above ``name`` in ``directory`` what they are in ``base``."""
    for parent in paths.ancestors(name):
        path = f"{directory}/{parent}"
        if os.path.lexists(path):
            continue
        above = os.path.dirname(path)
        before = os.stat(above)
        os.mkdir(path)
        set_directory(path, base.get(parent) or Entry(parent, DIRECTORY, 0o755), ownership)
        os.utime(above, ns=(before.st_atime_ns, before.st_mtime_ns))


def _indexed(index: str) -> Mapping[str, bytes]:
    """Return the marks of the copies in the kernel's index, by their names there."""
    marks = {}
    for name in os.listdir(index):
        # Whiteouts in the making are there too, and copies of files without a mark.
        with contextlib.suppress(OSError):
            if stat.S_ISREG(os.lstat(f"{index}/{name}").st_mode):
                marks[name] = os.getxattr(f"{index}/{name}", MARK)
    return marks


def _marked_files(base: FileTree, lowers: Sequence[str]) -> Mapping[bytes, AbstractSet[str]]:
    """Return the names of the files in the layers below, by their marks."""
    marked = {}
    for names in base.linked_files():
        path = lower_path(lowers, min(names))
        with contextlib.suppress(OSError):
            if path is not None:
                marked[os.getxattr(path, MARK, follow_symlinks=False)] = names
    return marked


def _is_one_of(path: str, names: AbstractSet[str], upper: UpperDirectory) -> bool:
    """Tell whether the marked ``path`` was one of ``names``, and is not a copy (cp -a) of it.

    It has its name, or was renamed: then one of the names is gone.
    """
    mark = upper.marks[path]
    return path in names or any(
        not upper.shows(name) and upper.marks.get(name) != mark for name in names
    )


def _is_directory(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
