"""AUFS' own files in a root, which Docker stored in layers for years (aufs(5)).

The content of a file with several names is in the directory ``.wh..wh.plnk``, and each of its names
is a hard link to it.
"""

from collections.abc import Iterable

from img.domain.filesystem import paths
from img.domain.filesystem.entry import DIRECTORY, HARDLINK, Entry
from img.domain.filesystem.file_index import OPAQUE_WHITEOUT

_PREFIX = ".wh..wh."
_LINKED_FILES = f"{_PREFIX}plnk/"


def is_aufs_leftover(path: str) -> bool:
    """Tell whether ``path`` is one of AUFS' own files."""
    top = path.partition("/")[0]
    return top.startswith(_PREFIX) and top != OPAQUE_WHITEOUT


def without_aufs_leftovers(entries: Iterable[Entry]) -> list[Entry]:
    """Return a layer's entries without AUFS' own; linked files move to their real names.

    The first name of such a file becomes the file, at the offset of its content; the others link to
    it.
    """
    kept: list[Entry | None] = []
    files: dict[str, tuple[int, Entry]] = {}  # AUFS' linked files, and their indexes in ``kept``
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
