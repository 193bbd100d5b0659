"""Becoming pid 1 of a step: from a fork of the fork server to the user's command.

The order of things is the kernel's: what needs the old root, then what needs capabilities, then
what gives them up (runtime-spec config.md, "Process").
"""

import errno
import os
import pickle
import resource
import signal
import socket
import traceback
from typing import NoReturn

from img.adapters.executor import mounts, reports
from img.adapters.executor.executables import find_executable, go_text
from img.adapters.executor.reports import Crashed, Launch, NotStarted, Refused
from img.adapters.executor.stubs import MountPoints
from img.adapters.linux import capabilities, syscalls
from img.application.ports.executor import ProcessNotStarted
from img.domain.errors import ImgError
from img.domain.filesystem.ownership import UserIdentity, lookup_user
from img.domain.process import Network, Process, Ulimit

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def become(order: int, channel: socket.socket, stdout: int, stderr: int) -> NoReturn:
    """Run the ``Launch`` in the file ``order``; tell ``channel`` why where that fails."""
    try:
        _die_with_parent()
        with open(order, "rb") as file:
            launch: Launch = pickle.load(file)
        os.dup2(stdout, 1)
        os.dup2(stderr, 2)
        _leave_session()
        os.umask(0o022)
        _enter_root(launch, channel)
        _execute(launch.process, _take_identity(launch.process))
    except ImgError as error:
        reports.send(channel, NotStarted(error.message))
    except OSError as error:
        what = f"{error.filename}: " if error.filename else ""
        reports.send(channel, Refused(f"{what}{error.strerror}"))
    except BaseException:
        reports.send(channel, Crashed(traceback.format_exc()))
    finally:
        os._exit(127)


def _enter_root(launch: Launch, channel: socket.socket) -> None:
    process = launch.process
    syscalls.mount("none", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
    scratch = mounts.attach_root(launch.root)
    root = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    points = MountPoints(root, lambda stub: reports.send(channel, stub))
    mounts.mount_system(points, process)
    mounts.mount_name_files(points, scratch, process)
    mounts.mount_extra(points, scratch, process.mounts)
    mounts.pivot_into_working_directory()
    # Before anything looks at a path of the step's choice: /proc/self/fd would lead out of the
    # root while a descriptor of the old one is open (CVE-2024-21626).
    syscalls.close_descriptors(but=channel.fileno())
    if not process.insecure:
        mounts.mask_system()
    syscalls.sethostname(process.hostname)
    if process.network is Network.NONE:
        _bring_loopback_up()


def _take_identity(process: Process) -> UserIdentity:
    for limit in process.ulimits:
        _limit(limit)
    user = lookup_user(process.user, _text_of("/etc/passwd"), _text_of("/etc/group"))
    _enter_directory(process.cwd)
    if not process.insecure:
        capabilities.limit_to(capabilities.DOCKER_DEFAULT)
    _become(user)
    if user.uid or not process.insecure:
        capabilities.keep_only(0 if user.uid else capabilities.DOCKER_DEFAULT)
    _die_with_parent()  # again: the kernel forgets it when credentials change
    return user


def _execute(process: Process, user: UserIdentity) -> None:
    env = {"PATH": DEFAULT_PATH, "HOME": user.home} | dict(process.env)
    if not process.argv:
        raise ProcessNotStarted("no command to run")
    path = find_executable(process.argv[0], env["PATH"])
    _reset_signals()
    try:
        os.execve(path, process.argv, env)
    except ValueError as error:  # a zero byte
        raise ProcessNotStarted(f"exec {path}: {error}") from error
    except OSError as error:
        raise ProcessNotStarted(f"exec {path}: {go_text(error)}") from error


def _enter_directory(path: str) -> None:
    try:
        os.makedirs(path, 0o755, exist_ok=True)
        os.chdir(path)
        os.getcwd()  # ENOENT for a directory outside the root
    except OSError as error:
        raise ProcessNotStarted(f'working directory "{path}": {go_text(error)}') from error


def _become(user: UserIdentity) -> None:
    try:
        os.setgroups(user.groups)
        os.setresgid(user.gid, user.gid, user.gid)
        os.setresuid(user.uid, user.uid, user.uid)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise ProcessNotStarted(
            f"cannot become {user.uid}:{user.gid}: more ids than /etc/subuid and /etc/subgid give"
        ) from error


def _limit(limit: Ulimit) -> None:
    number = getattr(resource, f"RLIMIT_{limit.name.upper()}", None)
    if number is None:
        raise ProcessNotStarted(f"invalid ulimit type: {limit.name}")
    try:
        resource.setrlimit(number, (limit.soft, limit.hard))
    except ValueError as error:  # soft above hard, or hard above what we may
        most = resource.getrlimit(number)[1]
        if limit.hard != -1 and not 0 <= limit.soft <= limit.hard:
            raise ProcessNotStarted(
                f"ulimit {limit.name}: soft limit {limit.soft} is above hard limit {limit.hard}"
            ) from error
        soft = most if limit.soft == -1 else min(limit.soft, most)
        resource.setrlimit(number, (soft, most))
        os.write(2, f"img: ulimit {limit.name}: this system allows no more than {most}\n".encode())


def _bring_loopback_up() -> None:
    import fcntl
    import struct

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        up_and_running = struct.pack("16sH14x", b"lo", 0x1 | 0x40)
        fcntl.ioctl(any_socket, 0x8914, up_and_running)  # SIOCSIFFLAGS


def _leave_session() -> None:
    os.setsid()
    try:
        syscalls.join_new_session_keyring()
    except OSError:  # no keyrings in this kernel, or forbidden by a seccomp filter
        return


def _reset_signals() -> None:
    for number in signal.valid_signals():
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _die_with_parent() -> None:
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)


def _text_of(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""
