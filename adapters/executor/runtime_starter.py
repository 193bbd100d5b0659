"""Starting runc or crun for a step, as pid 1 of namespaces that end with it.

Everything that the runtime leaves behind (its state, mounts, a shim) is inside of them.
"""

import json
import os
import re
import socket
from typing import NoReturn

from img.adapters.executor import mounts, privileges, reports
from img.adapters.executor.find_in_root import find_executable_in
from img.adapters.executor.first_process import (
    bring_network_up,
    enter_control_groups,
    set_limit,
    user_in,
)
from img.adapters.executor.launch import Launch
from img.adapters.executor.reports import Starting
from img.adapters.executor.runtime_seccomp import seccomp_section
from img.adapters.executor.runtime_spec import configuration
from img.adapters.executor.signals import reset_signals
from img.adapters.executor.step_mounts import mount_all
from img.adapters.executor.system_mounts import SystemMounts
from img.adapters.linux import capabilities, syscalls, userns
from img.application.ports.executor import ProcessNotStarted
from img.domain.filesystem.ownership import UserIdentity
from img.domain.process import DEFAULT_PATH

_CONTAINER = "step"
_MOST_LOGGED = 1 << 16  # bytes
_PATH_MAX = 4096  # linux/limits.h


def run_runtime(
    launch: Launch,
    channel: socket.socket,
    log: int,
    system: SystemMounts,
    network: socket.socket | None = None,
) -> NoReturn:
    """Execute the runtime, which runs ``launch`` and exits with its exit code.

    If it fails, the reason is in the file ``log`` (``failure_in``).
    """
    enter_control_groups(launch.process)
    size = launch.process.terminal
    if size is not None:
        from img.adapters.executor import pseudo_terminal
    bundle = _prepare(launch, channel, system, network)
    if size is not None:  # the runtime connects it with one in the container
        pseudo_terminal.take(channel, size, raw=True)
    syscalls.close_descriptors(but=(channel.fileno(), log))
    os.set_inheritable(log, True)
    privileges.confine(launch.process, _allowed(launch), of_runtime=True)
    reports.send(channel, Starting())
    _execute(
        _command(launch.program, bundle, f"/proc/self/fd/{log}"),
        has_terminal=size is not None,
    )


def prepare(launch: Launch) -> None:
    """Compile the filters of similar steps, for processes that are forked later."""
    if launch.process.insecure:
        return
    allowed = _allowed(launch)
    seccomp_section(launch.process, allowed)
    privileges.compiled(launch.process, allowed, of_runtime=True)


def failure_in(log: int, cwd: str) -> str:
    """Return why a runtime could not start a step with that working directory, "" if it could."""
    lines = os.pread(log, _MOST_LOGGED, 0).decode("utf-8", "replace").splitlines()
    errors = [message for line in lines if (message := _error_of(line))]
    return _without_internals(errors[-1], cwd) if errors else ""


def _prepare(
    launch: Launch,
    channel: socket.socket,
    system: SystemMounts,
    network: socket.socket | None,
) -> str:
    """Mount everything; return the runtime's bundle."""
    process = launch.process
    scratch, rootfs = mounts.attach_root_below(launch.root, devices=process.insecure)
    use_devices = _make_console if process.terminal else None
    root = mount_all(process, system, scratch, channel, use_devices)
    _protect(launch.program)
    _cover_host_mounts(covers_groups=_is_crun(launch.program))
    syscalls.sethostname(process.hostname)
    bring_network_up(process, network)
    for limit in process.ulimits:
        set_limit(limit)
    user = user_in(root, process)
    _refuse_unknown_ids(user)
    if not process.argv:
        raise ProcessNotStarted("no command to run")
    if len(os.fsencode(process.cwd)) >= _PATH_MAX:  # crun would create it
        raise ProcessNotStarted(f'working directory "{process.cwd}": file name too long')
    search = dict(process.env).get("PATH", DEFAULT_PATH)
    # for our error message, if it fails
    find_executable_in(root, process.argv[0], search, process.cwd)
    spec = configuration(process, user, rootfs, _allowed(launch))
    bundle = os.path.dirname(rootfs)
    with open(f"{bundle}/config.json", "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(json.dumps(spec, ensure_ascii=False))
    return bundle


def _make_console(devices: int) -> None:
    """Create the file on which a runtime mounts the container's terminal; crun expects it."""
    os.close(os.open("console", os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=devices))


def _protect(program: str) -> None:
    """Make the runtime's own program read-only, which it would otherwise copy first.

    It must be read-only: the step's program could be a link to it, and write to it (CVE-2019-5736).
    """
    tree = syscalls.open_tree(program)
    syscalls.mount_setattr(tree, syscalls.MOUNT_ATTR_RDONLY)
    syscalls.move_mount(tree, os.open(program, os.O_PATH | os.O_CLOEXEC))


def _cover_host_mounts(*, covers_groups: bool) -> None:
    """Give the runtime the /proc of this pid namespace, and no control groups to fail on."""
    syscalls.mount("proc", "/proc", "proc")
    if not os.path.isdir("/sys/fs/cgroup"):
        return
    if covers_groups:  # crun refuses hybrid hierarchies
        syscalls.mount("tmpfs", "/sys/fs/cgroup", "tmpfs")
    else:  # in rootless mode runc does without groups that it may not write
        groups = syscalls.open_tree("/sys/fs/cgroup")
        syscalls.mount_setattr(groups, syscalls.MOUNT_ATTR_RDONLY)
        syscalls.move_mount(groups, os.open("/sys/fs/cgroup", os.O_PATH | os.O_CLOEXEC))


def _command(runtime: str, bundle: str, log: str) -> list[str]:
    options = ["--root", f"{bundle}/state"]
    if _is_crun(runtime):
        options += ["--log", f"file:{log}", "--cgroup-manager", "disabled"]
    else:
        # For every user: "rootless" only means to continue without control groups.
        options += ["--log", log, "--log-format", "json", "--rootless", "true"]
    return [runtime, *options, "run", "--bundle", bundle, _CONTAINER]


def _refuse_unknown_ids(user: UserIdentity) -> None:
    if not (_is_mapped("uid", user.uid) and all(_is_mapped("gid", gid) for gid in user.groups)):
        raise ProcessNotStarted(
            f"cannot become {user.uid}:{user.gid}: more ids than /etc/subuid and /etc/subgid give"
        )


def _is_mapped(kind: str, number: int) -> bool:
    with open(f"/proc/self/{kind}_map", encoding="ascii") as extents:
        ranges = [tuple(map(int, extent.split())) for extent in extents]
    return any(first <= number < first + count for first, _, count in ranges)


def _allowed(launch: Launch) -> int:
    if launch.process.insecure:
        return capabilities.effective()
    allowed = privileges.allowed_capabilities(launch.process.network)
    if _is_crun(launch.program) and userns.is_initial():
        # The runtime mounts the root again, so that devices in it open again (mounts.attach_root).
        return allowed & ~capabilities.mask_of("mknod")
    return allowed


def _is_crun(runtime: str) -> bool:
    return os.path.basename(runtime) == "crun"


def _execute(command: list[str], *, has_terminal: bool) -> NoReturn:
    # Runtimes give the standard streams to the step's user, and /dev/null belongs to the machine.
    if not has_terminal:
        nothing, end = os.pipe()
        os.close(end)
        os.dup2(nothing, 0)
    reset_signals()
    os.execve(command[0], command, {"PATH": DEFAULT_PATH})


def _error_of(line: str) -> str:
    if not line.startswith("{"):  # crun, which logs only errors, some of them after the time
        return re.sub(r"^\d{4}-\S+: ", "", line)
    record = json.loads(line)
    return str(record["msg"]) if record.get("level") == "error" else ""


def _without_internals(failure: str, cwd: str) -> str:
    """Return the failure without the parts that name places in the runtime's code."""
    message = failure.rpartition("unable to start container process: ")[2]
    if f"mkdir {cwd}:" in message or "chdir" in message or "set in config.json" in message:
        return f'working directory "{cwd}": {message.rpartition(": ")[2].lower()}'
    return message
