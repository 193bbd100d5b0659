"""The mounted control group hierarchies, and the control group of a process in each."""

import os
import re
from collections.abc import Iterable, Mapping

from img.domain.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Hierarchy:
    """One mount of a hierarchy (cgroups(7)); version 1 has several, with some controllers each."""

    unified: bool
    controllers: frozenset[str]
    top: str  # directory of the mount point
    own: str  # directory of the group that this process is in

    @property
    def remedy(self) -> str:
        """Return the advice on how to get a control group in which groups can be made."""
        if self.unified:
            return "run it as `systemd-run --user --scope -p Delegate=yes img build …`"
        return (
            "this is version 1 of control groups, which are root's: run img as root, "
            "or boot with systemd.unified_cgroup_hierarchy=1"
        )


def hierarchies_of(process: str) -> tuple[Hierarchy, ...]:
    """Return the hierarchies that ``process``, a directory such as /proc/self, sees."""
    groups = dict(_groups(_lines(f"{process}/cgroup")))
    found = (_hierarchy(line, groups) for line in _lines(f"{process}/mountinfo"))
    return tuple(hierarchy for hierarchy in found if hierarchy is not None)


def _groups(lines: Iterable[str]) -> Iterable[tuple[str, str]]:
    """Yield (controller, path of the group); the controller of the unified hierarchy is ""."""
    for line in lines:
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            yield controller, path


def _hierarchy(line: str, groups: Mapping[str, str]) -> Hierarchy | None:
    mount, _, device = line.partition(" - ")
    words, (kind, _, options) = mount.split(), device.split()
    root, top = _unescaped(words[3]), _unescaped(words[4])
    if kind == "cgroup2":
        names = frozenset(" ".join(_lines(f"{top}/cgroup.controllers")).split())
        path = groups.get("", "/")
    elif kind == "cgroup":
        names = frozenset(options.split(",")) & groups.keys()
        path = groups[next(iter(names))] if names else "/"
    else:
        return None
    return Hierarchy(
        unified=kind == "cgroup2", controllers=names, top=top, own=_below(top, root, path)
    )


def _below(top: str, root: str, path: str) -> str:
    """Return the directory of the group ``path`` if ``root`` is mounted on ``top``."""
    relative = os.path.relpath(path, root)
    if relative.startswith(".."):  # in a container, which sees only its own groups
        return top
    return os.path.normpath(f"{top}/{relative}")


def _lines(file: str) -> list[str]:
    try:
        with open(file, encoding="utf-8", errors="surrogateescape") as text:
            return text.read().splitlines()
    except OSError:
        return []


def _unescaped(name: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), name)
