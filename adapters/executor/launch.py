"""The description of a step, for the fork server and the processes that it forks."""

import os
import socket
from enum import Enum
from functools import cache, lru_cache
from typing import Self

from img.adapters.linux import records, small_files, syscalls
from img.adapters.syscall_supervisor.root.level import Emulation
from img.domain.dataclass import compile_initializer, dataclass
from img.domain.process import DirectoryRoot, Network, OverlayRoot, Process, Resolver, Root

_MOST = 1 << 10  # bytes of a message
_MOST_DESCRIPTORS = 8
_ISOLATED = (
    syscalls.CLONE_NEWNS | syscalls.CLONE_NEWPID | syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWUTS
)


_USUAL = Process(argv=(), env={})
_ANY_ROOT = DirectoryRoot(path="/")


class LaunchMode(Enum):
    """The kind of environment of a step; the fork server makes different namespaces for each."""

    UNSHARE = "u"  # the fork becomes the step's first process
    RUNTIME = "r"  # the fork starts runc or crun, as the first process of a pid namespace
    CHROOT = "c"  # the fork watches over the step, without namespaces
    PROOT = "p"  # the same, with PRoot

    @property
    def isolated(self) -> bool:
        """True if steps have their own mounts and processes."""
        return self in (LaunchMode.UNSHARE, LaunchMode.RUNTIME)


@dataclass(frozen=True, slots=True)
class Launch:
    """The task of a first process."""

    process: Process
    root: Root
    mode: LaunchMode = LaunchMode.UNSHARE
    program: str = ""  # the path of the runtime, or of proot
    network_program: str = ""  # the path of slirp4netns, for a private network
    emulation: Emulation | None = None  # for steps with one id

    @classmethod
    def usual(cls, mode: LaunchMode, emulation: Emulation | None = None) -> Self:
        """Return a launch without options, to prepare for."""
        return cls(_USUAL, _ANY_ROOT, mode, emulation=emulation)

    @property
    def is_supervised(self) -> bool:
        """True if a supervisor answers calls of the step."""
        return self.emulation is not None and self.emulation.is_supervised


@dataclass(frozen=True, slots=True)
class SystemNeeds:
    """The properties of a step that its /proc, /dev and /sys depend on."""

    proc: bool  # otherwise /proc, and hiding parts of /proc and /sys, is left to the runtime
    confined: bool  # files of the whole machine are hidden or protected
    shm_size: int  # bytes


@dataclass(frozen=True, slots=True)
class StandbyKey:
    """The properties of a step that a standby process has to match."""

    mode: LaunchMode
    network: Network
    supervised: bool  # by a supervisor beside it
    system: SystemNeeds

    @classmethod
    def of(cls, launch: Launch) -> Self:
        """Return the key of the standby processes that can run ``launch``."""
        process = launch.process
        proc = launch.mode is not LaunchMode.RUNTIME
        system = SystemNeeds(proc, not process.insecure, process.shm_size)
        beside = launch.mode is LaunchMode.UNSHARE and launch.is_supervised
        return cls(launch.mode, process.network, beside, system)

    @property
    def namespaces(self) -> int:
        """Return the ``CLONE_NEW*`` flags."""
        own_network = 0 if self.network is Network.HOST else syscalls.CLONE_NEWNET
        return own_network | (_ISOLATED if self.mode.isolated else 0)


@dataclass(frozen=True, slots=True)
class Request:
    """The part of a launch that the fork server needs; it does not read the launch itself.

    Reading it writes to pages that server and steps share at first, so each step would pay for
    that.
    """

    key: StandbyKey
    network_program: str
    control_groups: tuple[str, ...]
    cwd: str
    mounted: bool  # the root was mounted for this step

    @classmethod
    def of(cls, launch: Launch) -> Self:
        """Return the request to start ``launch``."""
        process = launch.process
        return cls(
            StandbyKey.of(launch),
            launch.network_program,
            process.control_groups,
            process.cwd,
            _is_mounted(launch.root),
        )


def _is_mounted(root: Root) -> bool:
    if not isinstance(root, DirectoryRoot):
        return False  # the step itself mounts it
    try:
        return os.stat(root.path).st_dev != os.stat(os.path.dirname(root.path)).st_dev
    except OSError:  # gone: the step will report it
        return True


def rehearse() -> None:
    """Decode a launch once, so that this process and its forks have everything that takes."""
    for kind in (Launch, Process, Resolver, OverlayRoot, DirectoryRoot):
        compile_initializer(kind)
    records.decode(_example(), Launch)


@cache
def _example() -> bytes:
    """Return a launch, encoded once: forks of this process only decode launches."""
    return records.encode(Launch(Process(argv=("a",), env={"A": "b"}), DirectoryRoot(path="/")))


@lru_cache(maxsize=8)
def read_request(message: bytes) -> Request:
    """Return the request in ``message``, cached: most steps of a build have equal ones."""
    request: Request = records.decode(message, Request)
    return request


def receive(line: socket.socket) -> tuple[bytes, list[int]]:
    """Return the next message, empty at the end, and its descriptors (close-on-exec)."""
    message, descriptors, _, _ = socket.recv_fds(line, _MOST, _MOST_DESCRIPTORS)
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    return message, descriptors


def write_launch(launch: Launch) -> int:
    """Return a nameless file with the launch: its size has no bound."""
    order = os.memfd_create("img-step")
    small_files.write(order, records.encode(launch))
    return order


def read_launch(order: int) -> Launch:
    """Return the launch in the file, which several processes may read."""
    launch: Launch = records.decode(os.pread(order, os.fstat(order).st_size, 0), Launch)
    return launch
