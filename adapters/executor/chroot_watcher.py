"""The watcher of a step in a changed root without namespaces, for containers without mounts.

Substitutes of mounts are put into the root and removed again (mount_substitutes.py); processes that
the step leaves behind are killed (descendants.py); calls with paths of /proc are answered by a
process between watcher and step (proc_supervision.py). /sys has the number of processors and
nothing else.
"""

import os
import socket
from collections.abc import Mapping
from functools import partial
from typing import NoReturn

from img.adapters.executor import privileges, proc_supervision, reports, step_devices
from img.adapters.executor.closed_interpreter import close_interpreter
from img.adapters.executor.first_process import (
    die_with_parent,
    enter_control_groups,
    execute,
    leave_session,
    set_limits,
    take_identity,
    user_in,
)
from img.adapters.executor.launch import Launch
from img.adapters.executor.mount_substitutes import MountSubstitutes
from img.adapters.executor.mounts import host_file, hosts_file, named, resolver_file
from img.adapters.executor.system_mounts import device_links
from img.adapters.executor.watching import gather_orphans, wait_for
from img.adapters.linux import capabilities, launcher, small_files, syscalls
from img.domain.process import DirectoryRoot, Process

_PROCESSORS = "devices/system/cpu"
_SYS_CHROOT = capabilities.mask_of("sys_chroot")


def run_chroot_step(launch: Launch, channel: socket.socket) -> NoReturn:
    """Run the step of ``launch``, clean up, and exit with its exit code."""
    gather_orphans()
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)  # no process may read our memory
    assert isinstance(launch.root, DirectoryRoot)
    os._exit(_run(launch.process, launch.root.path, channel))


def _run(process: Process, path: str, channel: socket.socket) -> int:
    own = capabilities.effective()
    substitutes = MountSubstitutes(path, partial(reports.send, channel))
    try:
        devices = _place(substitutes, process)
        step = partial(_run_step, process, substitutes.path, channel, own)
        pid = syscalls.fork()
        if pid == 0:
            kept = own if process.insecure else _allowed(process, own) | _SYS_CHROOT
            proc_supervision.run_supervised(step, substitutes.path, channel, kept, devices)
        return wait_for(pid)
    finally:
        substitutes.remove()


def _place(substitutes: MountSubstitutes, process: Process) -> Mapping[bytes, int]:
    """Put the substitutes in place; return devices that the supervisor opens for the step."""
    devices: dict[bytes, int] = {}
    with named("/proc, /sys and /dev"):
        substitutes.directory("proc", 0o555)
        substitutes.directory("sys", 0o555, fill=_fill_sys)
        substitutes.directory("dev", fill=lambda dev: devices.update(_fill_dev(dev)))
    # The machine keeps its name, which programs such as sudo look up.
    names = (*process.hosts, (os.uname().nodename, "127.0.0.1"))
    for target, content in (
        ("etc/resolv.conf", resolver_file(process)),
        ("etc/hosts", hosts_file(process, names)),
    ):
        with named(target):
            substitutes.file(target, content)
    substitutes.all(process.mounts_outer_first)
    return devices


def _run_step(
    process: Process, path: str, channel: socket.socket, own: int, supervisor: socket.socket
) -> NoReturn:
    try:
        with reports.failures(channel):
            die_with_parent()
            leave_session()
            enter_control_groups(process)
            syscalls.close_descriptors(but=(channel.fileno(), supervisor.fileno()))
            start = launcher.new_file()
            root = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            user = user_in(root, process)
            if process.terminal is not None:
                from img.adapters.executor import pseudo_terminal

                pseudo_terminal.take(channel, process.terminal)
                pseudo_terminal.give_to(user)
            set_limits(process.ulimits)
            close_interpreter(channel)
            os.fchdir(root)
            os.close(root)
            os.chroot(".")
            privileged = bool(own & capabilities.SYS_ADMIN)
            confine = partial(proc_supervision.confine, supervisor, privileged=privileged)
            take_identity(process, user, _allowed(process, own), confine)
            execute(process, user, channel, start)
    finally:
        os._exit(127)


def _allowed(process: Process, own: int) -> int:
    """Return the capabilities that a step may have: Docker's default without ways out of a root.

    With CAP_SYS_CHROOT a process leaves its root, and a process that lacks a capability of another
    one may not trace it (ptrace(2), "access mode checking"). Root with the right to mount is not
    confined by a device control group, and must not create the host's disks.
    """
    ways_out = _SYS_CHROOT
    if own & capabilities.SYS_ADMIN:
        ways_out |= capabilities.mask_of("mknod")
    return privileges.allowed_capabilities(process.network) & own & ~ways_out


def _fill_sys(sys: str) -> None:
    """Create the files with the number of processors, which C libraries read (sysconf(3))."""
    os.makedirs(f"{sys}/{_PROCESSORS}")
    for name in ("online", "possible", "present"):
        content = host_file(f"/sys/{_PROCESSORS}/{name}")
        small_files.create(f"{sys}/{_PROCESSORS}/{name}", content)


def _fill_dev(dev: str) -> Mapping[bytes, int]:
    devices = step_devices.fill(dev)
    # Standard input, which the step inherits, is the step's own /dev/null: the step may change the
    # mode and owner of its own device, and must not change the host's.
    nothing = step_devices.null_of(dev, devices)
    os.dup2(nothing, 0)
    os.close(nothing)
    for name, text in device_links().items():
        os.symlink(text, f"{dev}/{name}")
    for name, mode in (("pts", 0o755), ("shm", 0o1777), ("mqueue", 0o1777)):
        os.mkdir(f"{dev}/{name}")
        os.chmod(f"{dev}/{name}", mode)
    return devices
