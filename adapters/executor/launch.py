"""What the fork server is told of a step, and passes on to what becomes it."""

import os
import socket
from enum import Enum
from functools import lru_cache
from typing import Self

from img.adapters.linux import records, syscalls
from img.adapters.syscall_supervisor.root.level import Emulation
from img.domain.dataclass import dataclass
from img.domain.process import DirectoryRoot, Network, Process, Root

_MOST = 1 << 10  # bytes of a message
_MOST_DESCRIPTORS = 8
_ISOLATED = (
    syscalls.CLONE_NEWNS | syscalls.CLONE_NEWPID | syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWUTS
)


class Way(Enum):
    """How a step is run; the fork server makes other namespaces for each."""

    UNSHARE = "u"  # it becomes the step's first process
    RUNTIME = "r"  # it starts runc or crun, as the first process of a pid namespace
    CHROOT = "c"  # it watches over the step, in no namespace of its own
    PROOT = "p"  # the same

    @property
    def isolated(self) -> bool:
        """Whether steps have mounts and processes of their own."""
        return self in (Way.UNSHARE, Way.RUNTIME)


@dataclass(frozen=True, slots=True)
class Launch:
    """What a first process has to do."""

    process: Process
    root: Root
    way: Way = Way.UNSHARE
    program: str = ""  # the path of the runtime, or of proot
    network_program: str = ""  # the path of slirp4netns, for a private network
    emulation: Emulation | None = None  # where the step has one id

    @property
    def is_supervised(self) -> bool:
        """Whether calls of the step are answered by a process beside or above it."""
        return self.emulation is not None and self.emulation.is_supervised


@dataclass(frozen=True, slots=True)
class SystemNeeds:
    """What /proc, /dev and /sys of a step depend on."""

    proc: bool  # else /proc is left to somebody else, and so is what hides parts of it and of /sys
    confined: bool  # what belongs to the whole machine is hidden or protected
    shm_size: int  # bytes


@dataclass(frozen=True, slots=True)
class Kind:
    """What those that stand by differ in."""

    way: Way
    network: Network
    supervised: bool  # by a process beside it
    system: SystemNeeds

    @classmethod
    def of(cls, launch: Launch) -> Self:
        """Return the kind that can become ``launch``."""
        process = launch.process
        proc = launch.way is not Way.RUNTIME
        system = SystemNeeds(proc, not process.insecure, process.shm_size)
        beside = launch.way is Way.UNSHARE and launch.is_supervised
        return cls(launch.way, process.network, beside, system)

    @property
    def namespaces(self) -> int:
        """``CLONE_NEW*`` flags."""
        own_network = 0 if self.network is Network.HOST else syscalls.CLONE_NEWNET
        return own_network | (_ISOLATED if self.way.isolated else 0)


@dataclass(frozen=True, slots=True)
class Request:
    """What the fork server has to know of a launch, which it does not read.

    Reading it writes to pages that server and steps share at first, so each step would pay for it.
    """

    kind: Kind
    network_program: str
    control_groups: tuple[str, ...]
    cwd: str
    mounted: bool  # the root was mounted for this step

    @classmethod
    def of(cls, launch: Launch) -> Self:
        """Return the request to start ``launch``."""
        process = launch.process
        return cls(
            Kind.of(launch),
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
    except OSError:  # gone: the step will say so
        return True


def rehearse() -> None:
    """Read a launch, so that what it takes is at hand in this process and its forks."""
    launch = Launch(Process(argv=("a",), env={"A": "b"}), DirectoryRoot(path="/"))
    records.decode(records.encode(launch), Launch)


@lru_cache(maxsize=8)
def read_request(message: bytes) -> Request:
    """Return what is in ``message``; most steps of a build ask for the same."""
    request: Request = records.decode(message, Request)
    return request


def receive(line: socket.socket) -> tuple[bytes, list[int]]:
    """Return the next message, empty at the end, and its descriptors, which no program inherits."""
    message, descriptors, _, _ = socket.recv_fds(line, _MOST, _MOST_DESCRIPTORS)
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    return message, descriptors


def write_launch(launch: Launch) -> int:
    """Return a new file with it, which has no name: the size of a launch has no bound."""
    order = os.memfd_create("img-step")
    with open(order, "wb", closefd=False) as file:
        file.write(records.encode(launch))
    return order


def read_launch(order: int) -> Launch:
    """Return what is in the file, for every process that has it."""
    launch: Launch = records.decode(os.pread(order, os.fstat(order).st_size, 0), Launch)
    return launch
