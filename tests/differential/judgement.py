"""Compares what img builds with what BuildKit builds; knows the differences that are meant."""

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import fields, replace

from tests.differential.case import Case
from tests.differential.shown import Shown
from tests.support.images.written_images import LayerEntry

LISTED = (
    "Places of mounts stay in BuildKit's layers",
    "BuildKit's layers keep `security.capability` alone",
    "The root directory has an entry in img's layers",
    "`COPY --parents` of a whole root directory",
    "Named pipes are not copied",
    "Devices become something else",
    "Options with characters beyond ASCII",
    "Words of the history",
    "Names of one file come apart",
    "Names of owners where nothing knows them",
)
"""What may differ, as docs/compatibility.md names it."""

_ROOT_IS_REFUSED = '"/": not found'
_NO_USERS = re.compile(r"/etc/(passwd|group): no such file or directory$")
_WIDE_OPTION = re.compile(r"--\S*[^\x00-\x7f]")
_STUBS = ("/etc/hosts", "/etc/resolv.conf", "/etc/mtab", "/.dockerenv", "/etc")
_PLACES_OF_MOUNTS = ("/dev", "/proc", "/sys")
_EMPTY = hashlib.sha256().hexdigest()
_CAPABILITY = "security.capability"


def differences(
    case: Case, ours: Shown | str, theirs: Shown | str, of_2020: bool = False
) -> list[str]:
    """Return a line for each difference that is not listed; ``of_2020``: by the old BuildKit."""
    if isinstance(ours, str) or isinstance(theirs, str):
        if isinstance(ours, str) and isinstance(theirs, str):
            return []
        if isinstance(theirs, str) and "--parents" in case.text() and _ROOT_IS_REFUSED in theirs:
            return []
        if isinstance(theirs, str) and _WIDE_OPTION.search(case.text()):
            return []
        if isinstance(theirs, str) and of_2020 and _NO_USERS.search(theirs):
            return []
        reason = ours if isinstance(ours, str) else theirs
        return [f"{'img' if isinstance(ours, str) else 'BuildKit'} fails: {reason}"]
    found = list(_of_files(case, ours, theirs, of_2020))
    if of_2020:
        ours, theirs = (
            replace(shown, history=list(map(_as_of_2020, shown.history)))
            for shown in (ours, theirs)
        )
    if not of_2020 or case.text() == case.older():
        found += _of_configs(ours, theirs)
    return found


def _as_of_2020(step: tuple[str, bool]) -> tuple[str, bool]:
    """Return a step of a history without what BuildKit has said in other words since then."""
    text, is_empty = step
    text = re.sub(r"^(COPY|ADD) (--\S+ )+", r"\1 ", text)
    text = re.sub(r"^(HEALTHCHECK|EXPOSE|ARG) .*", r"\1", text)
    return re.sub(r"^RUN \|\d+ .*? (?=/bin/(sh|busybox) )", "RUN ", text), is_empty


def _of_files(case: Case, ours: Shown, theirs: Shown, of_2020: bool) -> Iterator[str]:
    left_out, places = tuple(_left_out(case)), tuple(_places_of_mounts(case))
    steps = any(step.text.startswith("RUN ") for stage in case.stages for step in stage.steps)
    # "Names of one file come apart": BuildKit's steps change one name alone.
    changed = {name: names for names in ours.names - theirs.names for name in names if steps}
    for path in sorted({*ours.files, *theirs.files} - {"/"}):
        one, two = ours.files.get(path), theirs.files.get(path)
        if one == two or path.startswith(_PLACES_OF_MOUNTS):
            continue
        if two and one is None and path.endswith(left_out) and _is_empty(two):
            continue
        if one and two and path.endswith(places) and one.kind == two.kind == "directory":
            continue  # BuildKit's step has left it there, so that a later COPY did not make it
        if of_2020 and one and one.kind == "fifo" and two is None:
            continue
        if one and two and two in _copies_of_device(one, of_2020):
            continue
        if one and two and replace(one, xattrs=_in_layers(one)) == two:
            continue
        if one and any(theirs.files.get(other) == one for other in changed.get(path, ())):
            continue
        yield f"{path}: {_shown(one, two)}"
    for paths in sorted(map(sorted, () if steps else ours.names - theirs.names)):
        yield f"one file for img: {paths}"
    for paths in sorted(map(sorted, theirs.names - ours.names)):
        yield f"one file for BuildKit: {paths}"


def _copies_of_device(entry: LayerEntry, of_2020: bool) -> Iterator[LayerEntry]:
    """Yield the entry that COPY of BuildKit makes of a device."""
    if of_2020 and entry.kind in ("block", "char"):
        yield replace(entry, kind="file", device=(0, 0), content=_EMPTY)
    elif entry.kind == "block":
        yield replace(entry, kind="char")


def _in_layers(entry: LayerEntry) -> tuple[tuple[str, str], ...]:
    """Return the xattrs that BuildKit takes into layers."""
    return tuple(pair for pair in entry.xattrs if pair[0] == _CAPABILITY)


def _is_empty(entry: LayerEntry) -> bool:
    return entry.kind == "directory" or (entry.kind == "file" and entry.content == _EMPTY)


def _left_out(case: Case) -> Iterator[str]:
    """Yield the mount points that only BuildKit's layers have."""
    yield from _STUBS
    yield from _places_of_mounts(case)


def _places_of_mounts(case: Case) -> Iterator[str]:
    for target in case.mounted:
        path = os.path.join("/", target)
        while path != "/":
            yield path
            path = os.path.dirname(path)


def _shown(one: LayerEntry | None, two: LayerEntry | None) -> str:
    if one is None or two is None:
        return f"img {_brief(one)}, BuildKit {_brief(two)}"
    return ", ".join(
        f"{field.name} of img {getattr(one, field.name)!r}, BuildKit {getattr(two, field.name)!r}"
        for field in fields(LayerEntry)
        if getattr(one, field.name) != getattr(two, field.name)
    )


def _brief(entry: LayerEntry | None) -> str:
    return f"{entry.kind} {entry.mode} {entry.uid}:{entry.gid}" if entry else "nothing"


def _of_configs(ours: Shown, theirs: Shown) -> Iterator[str]:
    for name in sorted({*ours.config, *theirs.config}):
        one, two = ours.config.get(name), theirs.config.get(name)
        if (one or None) != (two or None):
            yield f"config {name}: img {one!r}, BuildKit {two!r}"
    if ours.history != theirs.history:
        for one, two in zip(ours.history, theirs.history, strict=False):
            if one != two:
                yield f"history: img {one!r}, BuildKit {two!r}"
        yield f"history: img {len(ours.history)} steps, BuildKit {len(theirs.history)}"
