"""Control groups of Linux, of the version that has the controller for a limit."""

import errno
import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from threading import Lock

from img.adapters.control_groups import legacy, unified
from img.adapters.control_groups.parent_group import (
    MARK,
    LimitsUnavailable,
    ParentGroup,
    Setting,
    read,
    remove_leftovers,
    write,
)
from img.adapters.linux.hierarchies import Hierarchy, hierarchies_of
from img.application.ports.control_groups import ControlGroup, ControlGroups, LimitRefused
from img.domain.dataclass import dataclass
from img.domain.resources import Resources

_ATTEMPTS = 20  # to remove a group after the end of its last process
_PAUSE_S = 0.01


class LinuxControlGroups(ControlGroups):
    """Uses the hierarchies that ``process`` (/proc/self) sees and may write, read on first use."""

    def __init__(self, resources: Resources, process: str = "/proc/self") -> None:
        self._resources = resources
        self._process = process
        self._lock = Lock()
        self._names = (f"{MARK}{os.getpid()}-{number}" for number in count(1))
        self._parents: tuple[ParentGroup, ...] | None = None
        self._shortcomings: tuple[str, ...] = ()

    def shortcomings(self) -> Sequence[str]:
        self._prepared()
        return self._shortcomings

    @contextmanager
    def group(self) -> Iterator[ControlGroup]:
        parents = self._prepared()
        with self._lock:
            name = next(self._names)
        with ExitStack() as made:
            yield _Group(tuple(made.enter_context(_part(parent, name)) for parent in parents))

    def _prepared(self) -> tuple[ParentGroup, ...]:
        with self._lock:
            if self._parents is None:
                self._parents = self._prepare()
            return self._parents

    def _prepare(self) -> tuple[ParentGroup, ...]:
        hierarchies = hierarchies_of(self._process)
        parents: dict[str, ParentGroup] = {}
        missing: dict[tuple[str, str | None], list[str]] = {}
        for controller, options in _controllers(self._resources):
            try:
                parent = _parent_group(hierarchies, controller, self._resources)
            except LimitsUnavailable as error:
                missing.setdefault((error.message, error.hint), []).extend(options)
                continue
            known = parents.get(parent.directory)
            parents[parent.directory] = known.merged(parent) if known else parent
        self._shortcomings = tuple(
            f"{', '.join(dict.fromkeys(options))}: no limit is set, for {message} ({hint})"
            for (message, hint), options in missing.items()
        )
        for directory in parents:
            remove_leftovers(directory)
        return tuple(parents.values())


@dataclass(frozen=True, slots=True)
class _Part:
    directory: str
    counter: str


@dataclass(frozen=True, slots=True)
class _Group(ControlGroup):
    parts: tuple[_Part, ...]

    @property
    def directories(self) -> tuple[str, ...]:
        return tuple(part.directory for part in self.parts)

    def ran_out_of_memory(self) -> bool:
        counters = (f"{part.directory}/{part.counter}" for part in self.parts if part.counter)
        return any(_killed(read(counter)) for counter in counters)


def _controllers(resources: Resources) -> Iterator[tuple[str, list[str]]]:
    """Yield each required controller, and the options that require it."""
    asked = resources.options
    for controller, options in (
        ("memory", ("--memory", "--memory-swap", "--cgroup-parent")),
        ("cpu", ("--cpu-shares", "--cpu-period", "--cpu-quota")),
        ("cpuset", ("--cpuset-cpus", "--cpuset-mems")),
    ):
        if needing := [option for option in options if option in asked]:
            yield controller, needing


def _parent_group(
    hierarchies: Sequence[Hierarchy], controller: str, resources: Resources
) -> ParentGroup:
    root = os.geteuid() == 0 and _is_initial_namespace()
    # It is in a version 1 hierarchy, or there is no other (cgroups(7), "hybrid").
    for hierarchy in sorted(hierarchies, key=lambda hierarchy: hierarchy.unified):
        if hierarchy.unified:
            return unified.parent_group(hierarchy, controller, resources, root=root)
        if controller in hierarchy.controllers:
            return legacy.parent_group(hierarchy, controller, resources)
    raise LimitsUnavailable(
        "there are no control groups here", hint="mount them: mount -t cgroup2 none /sys/fs/cgroup"
    )


def _is_initial_namespace() -> bool:
    """Tell whether root is root of the machine, and not of a user namespace."""
    return read("/proc/self/uid_map").split() == ["0", "0", str((1 << 32) - 1)]


@contextmanager
def _part(parent: ParentGroup, name: str) -> Iterator[_Part]:
    """Create a group in one hierarchy, with its limits, and remove it at the end."""
    directory = f"{parent.directory}/{name}"
    try:
        os.mkdir(directory, 0o755)
    except OSError as error:
        raise _refusal("a group of its own", error) from error
    lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH)  # protects the group from ``remove_leftovers``
        for setting in parent.settings:
            _set(directory, setting)
        yield _Part(directory, parent.counter)
    finally:
        os.close(lock)
        _remove(directory)


def _set(directory: str, setting: Setting) -> None:
    try:
        write(f"{directory}/{setting.file}", setting.value)
    except FileNotFoundError as error:
        if not setting.optional:
            raise _refusal(setting.file, error) from error
    except OSError as error:
        raise _refusal(f"{setting.file} = {setting.value}", error) from error


def _refusal(what: str, error: OSError) -> LimitRefused:
    return LimitRefused(f"the kernel refuses a step {what}: {error.strerror}")


def _remove(directory: str) -> None:
    for _ in range(_ATTEMPTS):
        try:
            os.rmdir(directory)
        except OSError as error:
            if error.errno != errno.EBUSY:
                return
            time.sleep(_PAUSE_S)
        else:
            return


def _killed(counters: str) -> bool:
    """Tell whether the counter ``oom_kill``, in lines of names and numbers, is above 0."""
    words = (line.split() for line in counters.splitlines())
    return any(word[0] == "oom_kill" and word[1] != "0" for word in words if len(word) == 2)
