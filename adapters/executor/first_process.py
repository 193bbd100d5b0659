"""The first process (pid 1) of a step, from the fork server's fork to the user's command.

The kernel dictates the order: first what needs the old root, then what needs capabilities, then
dropping them (runtime-spec config.md, "Process"). All input of the image is read before its root is
entered; from then on the interpreter is closed, and the process may do no more than the step
itself.
"""

import errno
import fcntl
import os
import resource
import signal
import socket
import struct
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import NamedTuple, NoReturn

from img.adapters.executor import mounts, privileges, reports
from img.adapters.executor.closed_interpreter import close_interpreter
from img.adapters.executor.find_in_root import find_executable, go_text
from img.adapters.executor.launch import Launch
from img.adapters.executor.mount_points import text_in
from img.adapters.executor.reports import Starting
from img.adapters.executor.signals import reset_signals
from img.adapters.executor.step_mounts import mount_all
from img.adapters.executor.system_mounts import SystemMounts
from img.adapters.linux import capabilities, launcher, syscalls
from img.adapters.storage.ownership import REAL, RecordedOwnership
from img.application.ports.executor import ExecutorUnavailable, ProcessNotStarted
from img.domain.filesystem.ownership import UserIdentity, lookup_user
from img.domain.process import Network, Process, Ulimit

_OF_FILES = "fsize"  # the limit of file sizes, which applies to the launcher's file too


def run_first_process(
    launch: Launch,
    channel: socket.socket,
    system: SystemMounts,
    supervisor: socket.socket | None = None,
    network: socket.socket | None = None,
    start: int | None = None,
) -> NoReturn:
    """Run ``launch``; report created mount points and failures to ``channel``.

    ``start`` is a launcher's file that was created ahead.
    """
    limits, take = _identity(launch, supervisor)
    terminal = _terminal_of(launch.process, channel)
    enter_control_groups(launch.process)
    start = launcher.new_file() if start is None else start
    user = _enter_root(launch, limits, channel, system, supervisor, network, start, terminal)
    take(user)
    execute(launch.process, user, channel, start)


def enter_control_groups(process: Process) -> None:
    """Enter the control groups of ``process``, while the host's hierarchies are visible."""
    for group in process.control_groups:
        try:
            with open(f"{group}/cgroup.procs", "wb", buffering=0) as members:
                members.write(b"0")
        except OSError as error:
            raise ExecutorUnavailable(
                f"a step cannot enter its control group {group}: {error.strerror}",
                hint="leave --memory and the limits like it",
            ) from error


def _enter_root(
    launch: Launch,
    limits: Iterable[Ulimit],
    channel: socket.socket,
    system: SystemMounts,
    supervisor: socket.socket | None,
    network: socket.socket | None,
    start: int,
    terminal: "_Terminal | None",
) -> UserIdentity:
    process = launch.process
    ownership = REAL if launch.emulation is None else RecordedOwnership()
    scratch = mounts.attach_root(launch.root, ownership, devices=process.insecure)
    root = mount_all(process, system, scratch, channel, terminal and terminal.take)
    bring_network_up(process, network)
    syscalls.sethostname(process.hostname)
    user = user_in(root, process)
    if terminal is not None:
        terminal.give_to(user)
    set_limits(limits)
    close_interpreter(channel)
    mounts.pivot_into_working_directory()
    # Before any lookup of a path that the step chooses: /proc/self/fd would lead out of the root
    # while a descriptor of the old one is open (CVE-2024-21626).
    kept = [start, *(line.fileno() for line in (channel, supervisor) if line is not None)]
    syscalls.close_descriptors(but=kept)
    return user


class _Terminal(NamedTuple):
    """The functions that make the terminal of a step in a /dev, and give it to the step's user."""

    take: Callable[[int], None]
    give_to: Callable[[UserIdentity], None]


def _terminal_of(process: Process, channel: socket.socket) -> _Terminal | None:
    """Return the terminal of the step, None without one; what it needs is imported now."""
    if process.terminal is None:
        return None
    from img.adapters.executor import pseudo_terminal

    return _Terminal(
        take=partial(pseudo_terminal.take, channel, process.terminal),
        give_to=pseudo_terminal.give_to,
    )


def _identity(
    launch: Launch, supervisor: socket.socket | None
) -> tuple[Iterable[Ulimit], Callable[[UserIdentity], None]]:
    """Return the step's limits, and the function that takes on its user; both are imported now."""
    process, level = launch.process, launch.emulation
    if level is None:
        allowed = privileges.allowed_capabilities(process.network)
        return process.ulimits, partial(take_identity, process, allowed=allowed)
    from img.adapters.executor import emulated_identity

    def take(user: UserIdentity) -> None:
        if not process.insecure:
            capabilities.keep_until_execution(emulated_identity.NEEDED)
        enter_directory(process.cwd)
        emulated_identity.take(process, user, level, supervisor)
        die_with_parent()

    return emulated_identity.limits_of(process), take


def take_identity(
    process: Process,
    user: UserIdentity,
    allowed: int,
    confine: Callable[[Process, int], None] = privileges.confine,
) -> None:
    """Become ``user`` in the step's root, with at most the capabilities ``allowed``.

    ``confine`` loads the filter of system calls. No file of the root is accessed with more
    capabilities than root has in the step.
    """
    if not process.insecure:
        capabilities.limit_to(allowed)
    confine(process, allowed)
    if not process.insecure:
        capabilities.keep_until_execution(allowed)
    enter_directory(process.cwd)
    _set_ids(user)
    if user.uid:
        capabilities.keep_only(0)
    die_with_parent()  # again: the kernel resets it when credentials change


def execute(process: Process, user: UserIdentity, channel: socket.socket, start: int) -> NoReturn:
    """Execute the step's program through the launcher in the empty file ``start``.

    Reports to ``channel`` before, and if the program cannot be executed. Raises ProcessNotStarted.
    """
    env = process.environment(user.home)
    if not process.argv:
        raise ProcessNotStarted("no command to run")
    path = find_executable(process.argv[0], env["PATH"])
    program = launcher.Program(paths=(path,), argv=process.argv, env=env)
    try:
        launcher.fill(start, program, channel.fileno())
    except ValueError as error:  # a zero byte
        raise ProcessNotStarted(f"exec {path}: {error}") from error
    except OSError as error:
        raise ProcessNotStarted(f"exec {path}: {go_text(error)}") from error
    reports.send(channel, Starting(path))
    for limit in process.ulimits:
        if limit.name == _OF_FILES:
            set_limit(limit)
    reset_signals()
    try:
        launcher.execute(start, channel.fileno())
    except OSError as error:
        raise ProcessNotStarted(f"exec {path}, from memory: {go_text(error)}") from error


def user_in(root: int, process: Process) -> UserIdentity:
    """Return the step's user, looked up in ``root``, an O_PATH descriptor. Raises BuildError."""
    return lookup_user(process.user, text_in(root, "etc/passwd"), text_in(root, "etc/group"))


def enter_directory(path: str) -> None:
    """Enter ``path`` in this root; create it if it is missing. Raises ProcessNotStarted."""
    try:
        try:
            os.chdir(path)
        except FileNotFoundError:
            _make_and_enter(path)
        os.getcwd()  # ENOENT for a directory outside the root
    except OSError as error:
        raise ProcessNotStarted(f'working directory "{path}": {go_text(error)}') from error


def _make_and_enter(path: str) -> None:
    os.chdir("/")
    for part in path.split("/"):
        if part:
            with suppress(FileExistsError):
                os.mkdir(part, 0o755)
            os.chdir(part)


def _set_ids(user: UserIdentity) -> None:
    try:
        os.setgroups(user.groups)
        os.setresgid(user.gid, user.gid, user.gid)
        os.setresuid(user.uid, user.uid, user.uid)
    except OverflowError as error:
        raise ProcessNotStarted(f"cannot become {user.uid}:{user.gid}: no such ids") from error
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise ProcessNotStarted(
            f"cannot become {user.uid}:{user.gid}: more ids than /etc/subuid and /etc/subgid give"
        ) from error


def set_limits(limits: Iterable[Ulimit]) -> None:
    """Set the limits that may already apply before the step's program is executed."""
    for limit in limits:
        if limit.name != _OF_FILES:
            set_limit(limit)


def set_limit(limit: Ulimit) -> None:
    """Set a limit, or the closest value that this system allows, with a warning."""
    number = getattr(resource, f"RLIMIT_{limit.name.upper()}", None)
    if number is None:
        raise ProcessNotStarted(f"invalid ulimit type: {limit.name}")
    try:
        resource.setrlimit(number, (limit.soft, limit.hard))
    except ValueError as error:  # soft above hard, or hard above the permitted maximum
        most = resource.getrlimit(number)[1]
        if _unsigned(limit.soft) > _unsigned(limit.hard):
            raise ProcessNotStarted(
                f"ulimit {limit.name}: soft limit {limit.soft} is above hard limit {limit.hard}"
            ) from error
        soft = min(limit.soft, most, key=_unsigned)
        resource.setrlimit(number, (soft, most))
        os.write(2, f"img: ulimit {limit.name}: this system allows no more than {most}\n".encode())


def _unsigned(limit: int) -> int:
    """Return the number that the kernel compares: of negative ones the largest."""
    return limit % (1 << 64)


def bring_network_up(process: Process, network: socket.socket | None) -> None:
    """Bring up the loopback of the step's network namespace, or wait for its private network."""
    if process.network is Network.NONE:
        _bring_loopback_up()
    if network is not None:
        if not network.recv(1):
            signal.pause()  # the fork server reports the reason, and ends this process
        network.close()


def _bring_loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        up_and_running = struct.pack("16sH14x", b"lo", 0x1 | 0x40)
        fcntl.ioctl(any_socket, 0x8914, up_and_running)  # SIOCSIFFLAGS


def leave_session() -> None:
    """Leave the terminal and the keyring of the parent."""
    os.setsid()
    try:
        syscalls.join_new_session_keyring()
    except OSError:  # no keyrings in this kernel, or forbidden by a seccomp filter
        return


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent ends."""
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
