"""Names of files that an overlay with an index copied up (kernel overlayfs.rst, "Index").

A change through one name of a file copies the file into the upper directory under that name, and
into the index. The other names show the copy while the overlay is mounted, yet are not in the upper
directory. They are added there after the step.
"""

import os
import stat
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from img.adapters.linux.file_handles import file_handle
from img.adapters.snapshotter.lower_layers import LowerLayers
from img.adapters.snapshotter.upper import UpperDirectory
from img.adapters.snapshotter.upper_links import UpperLinks
from img.adapters.storage.ownership import Ownership
from img.domain.filesystem.tree import FileTree

# bytes before a handle (struct ovl_fb, fs/overlayfs/overlayfs.h); its type is the last one
_HEADER = 21
_TYPE = 4


def restore_links(
    directory: str,
    index: str,
    upper: UpperDirectory,
    base: FileTree,
    below: LowerLayers,
    ownership: Ownership,
) -> bool:
    """Add all names of the files in ``index`` to the upper ``directory`` again.

    Return whether names were added; ``upper`` is out of date then.
    """
    copies = _copies(index) if os.path.isdir(index) else {}
    if not copies:
        return False
    files = _files(base, below)
    links = UpperLinks(directory, base, ownership)
    done = False
    for handle, copy in sorted(copies.items()):
        for name in sorted(files.get(handle, ())):
            if upper.is_visible(name):
                links.link(copy, name)
                done = True
    links.finish()
    return done


def _copies(index: str) -> Mapping[bytes, str]:
    """Return the copies in the index, by the handles of their originals."""
    copies = {}
    for name in os.listdir(index):
        # Unfinished whiteouts are there too, under names that are no handles.
        if stat.S_ISREG(os.lstat(f"{index}/{name}").st_mode):
            handle = bytes.fromhex(name)
            copies[handle[_TYPE : _TYPE + 1] + handle[_HEADER:]] = f"{index}/{name}"
    return copies


def _files(base: FileTree, below: LowerLayers) -> Mapping[bytes, AbstractSet[str]]:
    """Return the names of files with several names in the layers below, by their handles."""
    places = ((below.find(min(names)), names) for names in base.linked_files())
    return {file_handle(place): names for place, names in places if place is not None}
