"""Control groups, version 1: hierarchies with one or a few controllers (cgroup-v1/*.rst)."""

import os
from collections.abc import Iterator
from contextlib import suppress

from img.adapters.control_groups.parent_group import (
    LimitsUnavailable,
    ParentGroup,
    Setting,
    read,
    require_writable,
)
from img.adapters.linux.hierarchies import Hierarchy
from img.domain.resources import Resources


def parent_group(hierarchy: Hierarchy, controller: str, resources: Resources) -> ParentGroup:
    """Return the parent for groups with ``controller``. Raises LimitsUnavailable."""
    directory = hierarchy.own
    if parent := resources.cgroup_parent:
        base = hierarchy.top if parent.startswith("/") else hierarchy.own
        directory = os.path.join(base, parent.strip("/"))
        with suppress(OSError):  # reported by the next check
            os.makedirs(directory, exist_ok=True)
    try:
        require_writable(directory, own=directory)
    except LimitsUnavailable as error:
        raise LimitsUnavailable(error.message, hint=hierarchy.remedy) from None
    settings = tuple(_settings(controller, resources, directory))
    counter = "memory.oom_control" if controller == "memory" else ""
    return ParentGroup(directory=directory, settings=settings, counter=counter)


def _settings(controller: str, resources: Resources, directory: str) -> Iterator[Setting]:
    match controller:
        case "memory" if resources.memory:
            yield Setting("memory.limit_in_bytes", str(resources.memory))
            both = resources.memory_swap or 2 * resources.memory  # docker run, "--memory"
            yield Setting("memory.memsw.limit_in_bytes", str(both), optional=True)
        case "cpu":
            if resources.cpu_shares:
                yield Setting("cpu.shares", str(resources.cpu_shares))
            if resources.cpu_period:
                yield Setting("cpu.cfs_period_us", str(resources.cpu_period))
            if resources.cpu_quota:
                yield Setting("cpu.cfs_quota_us", str(resources.cpu_quota))
        case "cpuset":
            # A new group has neither, and accepts no process before it has both.
            for name, wanted in (
                ("cpuset.cpus", resources.cpuset_cpus),
                ("cpuset.mems", resources.cpuset_mems),
            ):
                yield Setting(name, wanted or read(f"{directory}/{name}"))
