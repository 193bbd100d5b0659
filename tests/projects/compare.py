"""Differences between two images of one Dockerfile."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from tests.projects.saved import File, Saved

# Names of files are compared separately: contents hold times and random numbers.
_OF_FILES = tuple(each.name for each in fields(File) if each.name != "content")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something that is not the same in both."""

    where: str  # a path, or a place in the config
    what: str  # a field of File, "missing", "names", "config", "history"
    ours: object
    theirs: object

    def __str__(self) -> str:
        return f"{self.where}: {self.what}: {self.ours!r}, not {self.theirs!r}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """All that differs."""

    entries: Sequence[Difference]
    config: Sequence[Difference]
    contents: Sequence[str]  # paths of files that hold something else


def known(difference: Difference) -> bool:
    """Tell whether it is the age of Debian's BuildKit (0.8) alone: newer ones do as img does."""
    match difference.what:
        case "missing":  # mount points of RUN, which newer ones remove
            return difference.ours is None and difference.where in _MOUNT_POINTS
        case "history":
            return _said_newly(difference.ours) == _said_newly(difference.theirs)
    return False


_MOUNT_POINTS = ("/dev", "/proc", "/sys")


def _said_newly(line: object) -> object:
    """Return a line of the history as 0.8 has it, apart from the form of ports and health checks.

    The config, which is compared too, has the health check.
    """
    if not isinstance(line, dict):
        return line
    text = str(line.get("created_by"))
    text = re.sub(r"^(COPY|ADD) (--\S+ )+", r"\1 ", text)
    text = re.sub(r"^HEALTHCHECK .*", "HEALTHCHECK", text)
    text = re.sub(r"^(ARG (?:TARGET|BUILD)[A-Z]+)=\S*$", r"\1", text)
    if exposed := re.fullmatch(r"EXPOSE map\[(.*)\]", text):
        text = f"EXPOSE [{exposed[1].replace(':{}', '')}]"
    return {**line, "created_by": text}


def compare(ours: Saved, theirs: Saved) -> Compared:
    """Compare entries, names of one file, config and history; no times, no digests of layers."""
    both = ours.files.keys() & theirs.files.keys()
    return Compared(
        entries=tuple(_entries(ours, theirs)),
        config=(*_config(ours.config, theirs.config), *_history(ours.config, theirs.config)),
        contents=sorted(
            path for path in both if ours.files[path].content != theirs.files[path].content
        ),
    )


def _entries(ours: Saved, theirs: Saved) -> Iterator[Difference]:
    for path in sorted(ours.files.keys() | theirs.files.keys()):
        mine, other = ours.files.get(path), theirs.files.get(path)
        if mine is None or other is None:
            here, there = (file.kind if file else None for file in (mine, other))
            yield Difference(where=path, what="missing", ours=here, theirs=there)
            continue
        for name in _OF_FILES:
            if getattr(mine, name) != getattr(other, name):
                yield Difference(
                    where=path, what=name, ours=getattr(mine, name), theirs=getattr(other, name)
                )
        if ours.names.get(path) != theirs.names.get(path):
            yield Difference(
                where=path,
                what="names",
                ours=ours.names.get(path),
                theirs=theirs.names.get(path),
            )


def _config(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Iterator[Difference]:
    mine, others = _flat(ours), _flat(theirs)
    for where in sorted(mine.keys() | others.keys()):
        if mine.get(where) != others.get(where):
            yield Difference(
                where=where, what="config", ours=mine.get(where), theirs=others.get(where)
            )


def _flat(config: Mapping[str, Any]) -> dict[str, object]:
    """Return the set fields; false, zero and empty ones are left out."""
    own = {name: value for name, value in config.items() if name not in _APART}
    inner: Mapping[str, Any] = own.pop("config", None) or {}
    flat = {**own, **{f"config.{name}": value for name, value in inner.items()}}
    return {where: value for where, value in flat.items() if value}


_APART = ("created", "history", "rootfs")


def _history(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Iterator[Difference]:
    mine, others = (_lines(config) for config in (ours, theirs))
    for number in range(max(len(mine), len(others))):
        here, there = (lines[number] if number < len(lines) else None for lines in (mine, others))
        if here != there:
            yield Difference(where=f"history {number}", what="history", ours=here, theirs=there)


def _lines(config: Mapping[str, Any]) -> list[dict[str, object]]:
    return [
        {name: value for name, value in line.items() if name != "created" and value}
        for line in config.get("history") or ()
    ]
