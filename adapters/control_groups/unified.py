"""Control groups, version 2: the unified hierarchy (kernel cgroup-v2.rst)."""

import errno
import os
from collections.abc import Iterator
from contextlib import suppress

from img.adapters.control_groups.parent_group import (
    LimitsUnavailable,
    ParentGroup,
    Setting,
    read,
    require_writable,
    write,
)
from img.adapters.linux.hierarchies import Hierarchy
from img.domain.resources import Resources

OURSELVES = "img.main"  # the group for the processes of a group that has to have children


def parent_group(
    hierarchy: Hierarchy, controller: str, resources: Resources, *, root: bool
) -> ParentGroup:
    """Return the parent for groups with ``controller``. Raises LimitsUnavailable.

    For ``root`` it is the root group, where systemd enables all controllers; other users have at
    most their own group, if it was delegated.
    """
    directory = _directory(hierarchy, resources.cgroup_parent, root=root)
    try:
        require_writable(directory, own=hierarchy.own)
        _enable_controller(directory, controller)
    except LimitsUnavailable as error:
        error.hint = error.hint or _remedy(hierarchy, root=root)
        raise
    except OSError as error:
        reason = f"{error.filename}: {error.strerror}"
        raise LimitsUnavailable(reason, hint=_remedy(hierarchy, root=root)) from error
    counter = "memory.events" if controller == "memory" else ""
    settings = tuple(_settings(controller, resources))
    return ParentGroup(directory=directory, settings=settings, counter=counter)


def _directory(hierarchy: Hierarchy, parent: str, *, root: bool) -> str:
    own = hierarchy.own
    if os.path.basename(own) == OURSELVES:  # an earlier build moved this process
        own = os.path.dirname(own)
    if not parent:
        return hierarchy.top if root else own
    directory = os.path.join(hierarchy.top if parent.startswith("/") else own, parent.strip("/"))
    with suppress(OSError):  # reported by the next check
        os.makedirs(directory, exist_ok=True)
    return directory


def _enable_controller(directory: str, controller: str) -> None:
    """Enable ``controller`` for children of ``directory``. Raises LimitsUnavailable, OSError."""
    above = os.path.dirname(directory)
    if not _has(directory, controller) and os.access(f"{above}/cgroup.subtree_control", os.W_OK):
        _enable_controller(above, controller)
    if not _has(directory, controller):
        raise LimitsUnavailable(f"{directory} was not given the controller {controller}")
    control = f"{directory}/cgroup.subtree_control"
    if controller in read(control).split():
        return
    try:
        write(control, f"+{controller}")
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        # "No Internal Process Constraint": a group with processes cannot enable controllers.
        _move_processes(directory)
        write(control, f"+{controller}")


def _has(directory: str, controller: str) -> bool:
    return controller in read(f"{directory}/cgroup.controllers").split()


def _move_processes(directory: str) -> None:
    inner = f"{directory}/{OURSELVES}"
    os.makedirs(inner, exist_ok=True)
    while pids := read(f"{directory}/cgroup.procs").split():  # they may fork meanwhile
        if "0" in pids:
            raise LimitsUnavailable(f"{directory} has processes that are not seen from here")
        for pid in pids:
            with suppress(ProcessLookupError):
                write(f"{inner}/cgroup.procs", pid)


def _settings(controller: str, resources: Resources) -> Iterator[Setting]:
    match controller:
        case "memory" if resources.memory:
            yield Setting("memory.max", str(resources.memory))
            yield Setting("memory.swap.max", _swap(resources), optional=True)
        case "cpu":
            if resources.cpu_shares:  # as runc converts them (libcontainer/cgroups, utils.go)
                weight = 1 + (resources.cpu_shares - 2) * 9999 // 262142
                yield Setting("cpu.weight", str(weight))
            if resources.cpu_quota or resources.cpu_period:
                quota = str(resources.cpu_quota or "max")
                yield Setting("cpu.max", f"{quota} {resources.cpu_period or 100_000}")
        case "cpuset":
            if resources.cpuset_cpus:
                yield Setting("cpuset.cpus", resources.cpuset_cpus)
            if resources.cpuset_mems:
                yield Setting("cpuset.mems", resources.cpuset_mems)


def _swap(resources: Resources) -> str:
    """Return the limit of swap alone; by default as much as memory (docker run, "--memory")."""
    if resources.memory_swap < 0:
        return "max"
    return str((resources.memory_swap or 2 * resources.memory) - resources.memory)


def _remedy(hierarchy: Hierarchy, *, root: bool) -> str:
    if root:
        return "limit the container that img runs in, or mount /sys/fs/cgroup writable"
    return hierarchy.remedy
