"""The watcher of a step under PRoot, which rewrites paths by ptrace(2), without namespaces.

PRoot 5.1 passes on calls that it does not know (statx, faccessat2 ...), so that their paths lead to
the host's files. A filter makes them fail as on an old kernel, and C libraries fall back.
"""

import contextlib
import errno
import os
import shutil
import socket
import stat
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from typing import NoReturn

from img.adapters.executor import reports, supervision
from img.adapters.executor.find_in_root import find_executable_in
from img.adapters.executor.first_process import (
    die_with_parent,
    enter_control_groups,
    leave_session,
    set_limit,
    user_in,
)
from img.adapters.executor.launch import Launch
from img.adapters.executor.mount_points import MountPoints
from img.adapters.executor.mount_substitutes import path_in
from img.adapters.executor.mounts import hosts_file, named, open_volume, resolver_file
from img.adapters.executor.proot_files import confine_to_files
from img.adapters.executor.reports import MountPoint, Starting
from img.adapters.executor.signals import reset_signals
from img.adapters.executor.system_mounts import device_links
from img.adapters.executor.watching import gather_orphans, wait_for
from img.adapters.linux import capabilities, launcher, proot_program, syscalls
from img.adapters.storage import left_secrets, owner_records
from img.adapters.storage.owner_records import ROOT, Owner, Unrecordable
from img.adapters.syscall_supervisor import allowed_calls, bpf
from img.adapters.syscall_supervisor.root.filters import rules_of
from img.adapters.syscall_supervisor.root.level import Emulation
from img.application.ports.executor import ExecutorUnavailable, ProcessNotStarted
from img.domain.filesystem import paths
from img.domain.filesystem.ownership import UserIdentity
from img.domain.process import (
    DEFAULT_PATH,
    BindMount,
    DirectoryRoot,
    FileMount,
    Process,
    ProcessMount,
    TmpfsMount,
    TreeMount,
    Volume,
)

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_STREAM_LINKS = {"stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}
_PR_SET_SECCOMP = 22
_UNKNOWN_TO_PROOT = (
    "clone3",
    "execveat",
    "faccessat2",
    "fchmodat2",
    "file_getattr",
    "file_setattr",
    "getxattrat",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "listxattrat",
    "name_to_handle_at",
    "openat2",
    "removexattrat",
    "renameat2",
    "setxattrat",
    "statx",
)


def run_proot_step(launch: Launch, channel: socket.socket) -> NoReturn:
    """Run the step of ``launch``, clean up, and exit with its exit code.

    This process has no more rights than the step, because it acts for the step: root keeps no
    capabilities.
    """
    gather_orphans()
    if os.geteuid() == 0:
        capabilities.keep_only(0)
    os._exit(_run(launch, channel))


def _run(launch: Launch, channel: socket.socket) -> int:
    # In memory, because some of the files are secrets.
    own = left_secrets.new_directory()
    asked, asking = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    beside = f"{_path_of(launch)}.{os.urandom(8).hex()}"
    try:
        loaders = proot_program.loader_directory(os.environ)
        variables: dict[str, str] = {}
        if loaders is None:
            os.mkdir(beside, 0o755)
            variables = proot_program.write_loader(launch.program, beside)
        pid = os.fork()
        if pid == 0:
            _execute_proot(launch, own.path, loaders or beside, variables, channel, asking)
        asking.close()
        if launch.is_supervised:
            supervision.serve_in_thread(asked, launch.root)
        return wait_for(pid, traces=True)
    finally:
        shutil.rmtree(own.path, ignore_errors=True)
        shutil.rmtree(beside, ignore_errors=True)
        own.release()


def _execute_proot(
    launch: Launch,
    directory: str,
    loaders: str,
    variables: Mapping[str, str],
    channel: socket.socket,
    supervisor: socket.socket,
) -> NoReturn:
    try:
        with reports.failures(channel):
            die_with_parent()
            leave_session()
            enter_control_groups(launch.process)
            syscalls.close_descriptors(but=(channel.fileno(), supervisor.fileno()))
            if launch.process.terminal is not None:
                from img.adapters.executor import pseudo_terminal

                pseudo_terminal.take(channel, launch.process.terminal)
            own = _OwnFiles(directory)
            root = os.open(_path_of(launch), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            user = user_in(root, launch.process)
            os.close(root)
            start = launcher.new_file()
            command, program = _command(launch, user, own, channel, start)
            for limit in launch.process.ulimits:
                set_limit(limit)
            reset_signals()
            confine_to_files(launch, directory, loaders)
            _load_filter(launch, user, supervisor)
            for descriptor in (start, channel.fileno()):
                os.set_inheritable(descriptor, True)
            reports.send(channel, Starting(program))
            os.execve(launch.program, command, _env_of_proot(variables))
    finally:
        os._exit(127)


def _command(
    launch: Launch, user: UserIdentity, own: "_OwnFiles", channel: socket.socket, start: int
) -> tuple[list[str], str]:
    """Return PRoot's command line, and the step's program, which the launcher in ``start`` runs.

    So PRoot does not get the step's environment: variables such as LD_PRELOAD would run the image's
    code in PRoot, before all filters.
    """
    process, path = launch.process, _path_of(launch)
    root = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    if not process.argv:
        raise ProcessNotStarted("no command to run")
    _make_working_directory(root, process.cwd)
    env = process.environment(user.home)
    programs = _programs(root, process, env["PATH"])
    program = launcher.Program(paths=programs, argv=process.argv, env=env)
    try:
        launcher.fill(start, program, channel.fileno(), inherited=True)
    except ValueError as error:  # a zero byte
        raise ProcessNotStarted(f"exec {programs[-1]}: {error}") from error
    places = _Places(path, root, own, partial(reports.send, channel))
    shown = [*_system(process, own, places), *_mounts(process, own, places)]
    os.close(root)
    options = [f"--rootfs={path}", f"--cwd={process.cwd}"]
    if not launch.is_supervised:
        options.append(
            f"--change-id={user.uid}:{user.gid}" if user.uid or user.gid else "--root-id"
        )
    binds = [f"--bind={source}:{target}" for source, target in shown]
    command = [launch.program, "--verbose=-1", *options, *binds, f"/proc/self/fd/{start}"]
    return command, programs[-1]


def _path_of(launch: Launch) -> str:
    assert isinstance(launch.root, DirectoryRoot)
    return launch.root.path


def _env_of_proot(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of PRoot itself: from the user of img, nothing from the image."""
    own = {name: value for name, value in os.environ.items() if name.startswith("PROOT_")}
    return {"PATH": DEFAULT_PATH, **own, **variables}


def _programs(root: int, process: Process, search: str) -> tuple[str, ...]:
    """Return the possible paths of the program. Raises ProcessNotStarted."""
    name = process.argv[0]
    try:
        return (find_executable_in(root, name, search, process.cwd),)
    except ProcessNotStarted:
        if not process.mounts:
            raise
        # It may be in one of them, which only PRoot sees.
        directories = () if "/" in name else search.split(":")
        return tuple(f"{directory or '.'}/{name}" for directory in directories) or (name,)


class _Places:
    """Mount points, created if they are missing: PRoot does not always remove those it creates.

    Those in /dev are created in a directory of img, which PRoot shows as /dev.
    """

    def __init__(
        self,
        path: str,
        root: int,
        own: "_OwnFiles",
        on_created: Callable[[MountPoint], None],
    ) -> None:
        self._path = os.path.realpath(path)
        self._points = MountPoints(root, on_created)
        self.dev = own.directory(0o755, links=device_links() | _STREAM_LINKS)
        directory = os.open(self.dev, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._in_dev = MountPoints(directory, lambda _: None)

    def at(self, target: str, *, directory: bool) -> str:
        """Return ``target`` with all links resolved. Raises ProcessNotStarted."""
        with named(target):
            return self._at(target, directory=directory)

    def _at(self, target: str, *, directory: bool) -> str:
        clean = paths.clean(target)
        if clean.startswith("dev/"):
            os.close(self._in_dev.open(clean.removeprefix("dev/"), directory=directory))
            return f"/{clean}"
        found = self._points.open(target, directory=directory)
        try:
            place = os.readlink(f"/proc/self/fd/{found}")
        finally:
            os.close(found)
        return f"/{os.path.relpath(place, self._path)}"


def _system(process: Process, own: "_OwnFiles", places: _Places) -> Iterator[tuple[str, str]]:
    """Yield the files and directories that every step sees, and their places."""
    yield places.dev, places.at("/dev", directory=True)
    yield own.directory(0o1777), places.at("/dev/shm", directory=True)
    for name in _DEVICES:
        yield f"/dev/{name}", places.at(f"/dev/{name}", directory=False)
    for name in ("/proc", "/sys"):
        yield name, places.at(name, directory=True)
    resolver, hosts = resolver_file(process), hosts_file(process, process.hosts)
    yield own.file(resolver), places.at("/etc/resolv.conf", directory=False)
    yield own.file(hosts), places.at("/etc/hosts", directory=False)


def _mounts(process: Process, own: "_OwnFiles", places: _Places) -> Iterator[tuple[str, str]]:
    """Yield the mounts that the step asks for. Raises ProcessNotStarted."""
    for mount in process.mounts_outer_first:
        with named(mount.target):
            source = _source(own, mount)
        target = places.at(mount.target, directory=os.path.isdir(source))
        yield own.link(source), target


def _source(own: "_OwnFiles", mount: ProcessMount) -> str:
    match mount:
        case FileMount():
            return own.file(mount.content, mount.mode, Owner(mount.uid, mount.gid))
        case TmpfsMount():
            return own.directory(mount.mode)
        case BindMount():
            os.stat(mount.source)
            return mount.source
        case Volume():
            os.close(open_volume(mount))
            return mount.source
        case TreeMount():
            return path_in(mount.root, mount.source)


class _OwnFiles:
    """Files and directories of img that a step sees."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._count = 0

    def file(self, content: bytes, mode: int = 0o644, owner: Owner = ROOT) -> str:
        path = self._new()
        with open(path, "xb") as file:
            file.write(content)
        with contextlib.suppress(Unrecordable):
            owner_records.write(path, owner)
        os.chmod(path, mode)
        return path

    def directory(self, mode: int, *, links: dict[str, str] | None = None) -> str:
        path = self._new()
        os.mkdir(path)
        for name, text in (links or {}).items():
            os.symlink(text, f"{path}/{name}")
        os.chmod(path, mode)
        return path

    def link(self, source: str) -> str:
        """Return a link to ``source``, because PRoot does not accept a colon in a path."""
        path = self._new()
        os.symlink(source, path)
        return path

    def _new(self) -> str:
        self._count += 1
        return f"{self._directory}/{self._count}"


def _make_working_directory(root: int, path: str) -> None:
    try:
        found = MountPoints(root, lambda _: None).open(path, directory=True)
        if not stat.S_ISDIR(os.fstat(found).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        os.close(found)
    except OSError as error:
        text = os.strerror(error.errno or errno.EIO).lower()
        raise ProcessNotStarted(f'working directory "{path}": {text}') from error


def _load_filter(launch: Launch, user: UserIdentity, supervisor: socket.socket) -> None:
    """Load a filter that refuses calls unknown to PRoot, and intercepts emulated ones.

    A filter sees a call after PRoot has rewritten its paths, unless PRoot has a filter too, which
    is switched off then.
    """
    machine = bpf.this_machine()
    if machine is None:
        raise ExecutorUnavailable(f"PRoot is not safe on {os.uname().machine}: no filter for it")
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    program = _filter_program(machine, _supervised(launch))
    if launch.is_supervised:
        supervision.hand_over(supervisor, bpf.load_and_listen(program), user)
    else:
        bpf.load(program)


def prepare(launch: Launch) -> None:
    """Compile the filter of similar steps, for processes that are forked later."""
    machine = bpf.this_machine()
    if machine is not None:
        _filter_program(machine, _supervised(launch))


def _supervised(launch: Launch) -> Emulation | None:
    return launch.emulation if launch.is_supervised else None


@cache
def _filter_program(machine: bpf.Machine, emulation: Emulation | None) -> bytes:
    """Return the filter of the calls that all executors allow, less those unknown to PRoot.

    ``emulation``: a supervisor answers calls. PRoot does not run 32-bit programs.
    """
    missing = bpf.fail_with(errno.ENOSYS)
    rules = [bpf.Rule(call, missing) for call in _UNKNOWN_TO_PROOT]
    if emulation is not None:
        refused = bpf.IsOneOf(0, (_PR_SET_SECCOMP,))
        rules.append(bpf.Rule("prctl", bpf.fail_with(errno.EINVAL), (refused,)))
        # Also the calls of root: the supervisor executes those that modes forbid to it.
        own = rules_of(emulation, strict=True, capabilities=True)
        rules += [rule for rule in own if rule.call not in _UNKNOWN_TO_PROOT]
    allowed = allowed_calls.rules_for(capabilities.DOCKER_DEFAULT)
    return bpf.program(
        machine,
        allowed_calls.before(rules, allowed),
        otherwise=allowed_calls.REFUSED,
        compat=bpf.fail_with(errno.ENOSYS),
    )
