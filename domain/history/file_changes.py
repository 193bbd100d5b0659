"""The files that differ between two layers of a COPY."""

from collections.abc import Iterator, Mapping

from img.domain.filesystem.entry import DIRECTORY, Entry
from img.domain.filesystem.file_index import FileIndex

_MOST_SHOWN = 10


def changed_files(old: FileIndex, new: FileIndex, destination: str, source: str = "") -> list[str]:
    """Return the changes in words: ``changed src/a.py (content)``, ``new b``, ``removed c``.

    Paths are relative to the ``destination`` of the COPY; a single file there has the name of its
    ``source``. Modification times are no changes.
    """
    before, after = _below(old, destination), _below(new, destination)
    found = [
        *_changed(before, after),
        *(f"new {path}" for path in _outermost(after, before)),
        *(f"removed {path}" for path in _outermost(before, after)),
    ]
    named = [text.replace(" \0", f" {source or destination}", 1) for text in found]
    more = len(named) - _MOST_SHOWN
    return [*named[:_MOST_SHOWN], f"and {more} more"] if more > 0 else named


def _below(index: FileIndex, destination: str) -> Mapping[str, Entry]:
    top = destination.strip("/")
    found = {}
    for entry in index:
        path = entry.path
        if path == top:
            found["\0"] = entry
        elif not top or path.startswith(f"{top}/"):
            found[path[len(top) :].strip("/")] = entry
    return found


def _changed(before: Mapping[str, Entry], after: Mapping[str, Entry]) -> Iterator[str]:
    for path in sorted(before.keys() & after.keys()):
        if kinds := ", ".join(_kinds(before[path], after[path])):
            yield f"changed {path} ({kinds})"


def _kinds(old: Entry, new: Entry) -> Iterator[str]:
    if old.kind != new.kind:
        yield "kind"
    elif (old.digest, old.size, old.link, old.device) != (
        *(new.digest, new.size, new.link, new.device),
    ):
        yield "content"
    if old.mode != new.mode:
        yield f"mode {old.mode:o} → {new.mode:o}"
    if (old.uid, old.gid) != (new.uid, new.gid):
        yield f"owner {old.uid}:{old.gid} → {new.uid}:{new.gid}"
    if old.xattrs != new.xattrs:
        yield "attributes"


def _outermost(these: Mapping[str, Entry], others: Mapping[str, Entry]) -> Iterator[str]:
    """Yield the paths that only ``these`` have; a directory only if none of its files is among."""
    only = sorted(these.keys() - others.keys())
    for place, path in enumerate(only):
        follower = only[place + 1] if place + 1 < len(only) else ""
        if these[path].kind != DIRECTORY or not follower.startswith(f"{path}/"):
            yield path
