"""Control groups of Linux, of whichever version has the controller that a limit needs."""

import errno
import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from threading import Lock

from img.adapters.control_groups import legacy, unified
from img.adapters.control_groups.home import (
    MARK,
    Home,
    LimitsUnavailable,
    Setting,
    read,
    remove_leftovers,
    write,
)
from img.adapters.linux.hierarchies import Hierarchy, hierarchies_of
from img.application.ports.control_groups import ControlGroup, ControlGroups, LimitRefused
from img.domain.dataclass import dataclass
from img.domain.resources import Resources

_ATTEMPTS = 20  # to remove a group whose last process has just gone
_PAUSE_S = 0.01


class LinuxControlGroups(ControlGroups):
    """Looks, when first asked, at what ``process`` (/proc/self) sees and may write."""

    def __init__(self, resources: Resources, process: str = "/proc/self") -> None:
        self._resources = resources
        self._process = process
        self._lock = Lock()
        self._names = (f"{MARK}{os.getpid()}-{number}" for number in count(1))
        self._homes: tuple[Home, ...] | None = None
        self._shortcomings: tuple[str, ...] = ()

    def shortcomings(self) -> Sequence[str]:
        self._prepared()
        return self._shortcomings

    @contextmanager
    def group(self) -> Iterator[ControlGroup]:
        homes = self._prepared()
        with self._lock:
            name = next(self._names)
        with ExitStack() as made:
            yield _Group(tuple(made.enter_context(_part(home, name)) for home in homes))

    def _prepared(self) -> tuple[Home, ...]:
        with self._lock:
            if self._homes is None:
                self._homes = self._prepare()
            return self._homes

    def _prepare(self) -> tuple[Home, ...]:
        hierarchies = hierarchies_of(self._process)
        homes: dict[str, Home] = {}
        missing: dict[tuple[str, str | None], list[str]] = {}
        for controller, options in _controllers(self._resources):
            try:
                home = _home(hierarchies, controller, self._resources)
            except LimitsUnavailable as error:
                missing.setdefault((error.message, error.hint), []).extend(options)
                continue
            known = homes.get(home.directory)
            homes[home.directory] = known.joined(home) if known else home
        self._shortcomings = tuple(
            f"{', '.join(dict.fromkeys(options))}: no limit is set, for {message} ({hint})"
            for (message, hint), options in missing.items()
        )
        for directory in homes:
            remove_leftovers(directory)
        return tuple(homes.values())


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
    """Yield each controller that is needed, and the options that need it."""
    asked = resources.options
    for controller, options in (
        ("memory", ("--memory", "--memory-swap", "--cgroup-parent")),
        ("cpu", ("--cpu-shares", "--cpu-period", "--cpu-quota")),
        ("cpuset", ("--cpuset-cpus", "--cpuset-mems")),
    ):
        if needing := [option for option in options if option in asked]:
            yield controller, needing


def _home(hierarchies: Sequence[Hierarchy], controller: str, resources: Resources) -> Home:
    root = os.geteuid() == 0 and _owns_the_machine()
    # The one that has it is of version 1, or there is no other (cgroups(7), "hybrid").
    for hierarchy in sorted(hierarchies, key=lambda hierarchy: hierarchy.unified):
        if hierarchy.unified:
            return unified.home(hierarchy, controller, resources, root=root)
        if controller in hierarchy.controllers:
            return legacy.home(hierarchy, controller, resources)
    raise LimitsUnavailable(
        "there are no control groups here", hint="mount them: mount -t cgroup2 none /sys/fs/cgroup"
    )


def _owns_the_machine() -> bool:
    """Tell whether root here is root: in a user namespace it is somebody's."""
    return read("/proc/self/uid_map").split() == ["0", "0", str((1 << 32) - 1)]


@contextmanager
def _part(home: Home, name: str) -> Iterator[_Part]:
    """Make a group in one hierarchy, with its limits, and remove it in the end."""
    directory = f"{home.directory}/{name}"
    try:
        os.mkdir(directory, 0o755)
    except OSError as error:
        raise _refusal("a group of its own", error) from error
    lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH)  # whoever sweeps leaves it alone
        for setting in home.settings:
            _set(directory, setting)
        yield _Part(directory, home.counter)
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
    """Tell whether ``oom_kill``, among lines of names and numbers, counts anything."""
    words = (line.split() for line in counters.splitlines())
    return any(word[0] == "oom_kill" and word[1] != "0" for word in words if len(word) == 2)
