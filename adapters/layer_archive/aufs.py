"""What AUFS kept for itself in a root, and Docker put into layers for years (aufs(5)).

Of a file with several names the content is in the directory ``.wh..wh.plnk``, and each of its names
is a hard link there.
"""

from collections.abc import Iterable

from img.domain.filesystem import paths
from img.domain.filesystem.entry import DIRECTORY, HARDLINK, Entry
from img.domain.filesystem.file_index import OPAQUE_WHITEOUT

_PREFIX = ".wh..wh."
_LINKED_FILES = f"{_PREFIX}plnk/"


def is_aufs_leftover(path: str) -> bool:
    """Tell whether ``path`` is AUFS' own."""
    top = path.partition("/")[0]
    return top.startswith(_PREFIX) and top != OPAQUE_WHITEOUT


def without_aufs_leftovers(entries: Iterable[Entry]) -> list[Entry]:
    """Return a layer's entries without AUFS' own, whose linked files are put in their places.

    The first name of such a file becomes the file, where its content is; the others link to it.
    """
    kept: list[Entry | None] = []
    files: dict[str, tuple[int, Entry]] = {}  # AUFS' linked files, and their places in ``kept``
    first_names: dict[str, str] = {}
    for entry in entries:
        if entry.path.startswith(_PREFIX) and is_aufs_leftover(entry.path):
            if entry.path.startswith(_LINKED_FILES) and entry.kind not in (DIRECTORY, HARDLINK):
                files[entry.path] = (len(kept), entry)
                kept.append(None)
            continue
        target = paths.clean(entry.link) if files and entry.kind == HARDLINK else ""
        if target not in files:
            kept.append(entry)
        elif target in first_names:
            kept.append(entry._replace(link=first_names[target]))
        else:
            place, file = files[target]
            kept[place] = file._replace(path=entry.path)
            first_names[target] = entry.path
    return [entry for entry in kept if entry is not None]
