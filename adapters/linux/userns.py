"""Entering the user and mount namespaces in which builds run."""

import errno
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence

from img.adapters.linux import capabilities, container, syscalls
from img.adapters.linux.id_map import IdMap
from img.domain.dataclass import dataclass
from img.domain.errors import HostError

_MOST_EXTENTS = 340  # user_namespaces(7), since Linux 4.15
_USUAL_COUNT = 65536
_IN_CONTAINER = (
    "start it with --security-opt seccomp=unconfined --security-opt apparmor=unconfined, or "
    "--privileged"
)
_IN_POD = (
    "set securityContext.seccompProfile: {type: Unconfined} and appArmorProfile: "
    "{type: Unconfined}, and hostUsers: false to be safe with them"
)


class NamespacesRefused(HostError):
    """The kernel, or the confinement of this process, refuses new namespaces."""


class NoSubordinateIds(HostError):
    """The user has no subordinate ids."""

    def __init__(self, user: str, file: str, hint: str) -> None:
        super().__init__(f"user {user} has no ids of its own to build with in {file}", hint=hint)
        self.user = user
        self.file = file


class NoIdMappers(HostError):
    """The set-user-ID programs newuidmap and newgidmap are not installed."""

    def __init__(self, program: str) -> None:
        super().__init__(
            f"{program} is not installed",
            hint="install the package uidmap (Debian, Ubuntu), shadow-utils (Fedora, RHEL) or "
            "shadow-subids (Alpine)",
        )
        self.program = program


class IdMapRefused(HostError):
    """newuidmap or newgidmap failed."""


class OneIdHere(HostError):
    """The user namespace of this process has only one id, so builds cannot have more.

    ``unshare -Ur``, bubblewrap and Apptainer make such namespaces.
    """

    def __init__(self) -> None:
        super().__init__(
            "the user namespace that img was started in has one id",
            hint="start img outside of it, or in one with a range of ids (unshare --map-auto)",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RealUser:
    """The user that started img, before the namespace is entered, as found in the user database."""

    name: str
    uid: int
    gid: int
    home: str = ""


@dataclass(frozen=True, slots=True)
class IdRange:
    """``count`` ids, starting with ``first``."""

    first: int
    count: int


def real_user() -> RealUser:
    """Return the user of this process; call it before ``enter``: inside, every user is root."""
    import pwd

    uid, gid = os.geteuid(), os.getegid()
    try:
        known = pwd.getpwuid(uid)
    except KeyError:  # an arbitrary uid without a name, as on OpenShift
        return RealUser(name=str(uid), uid=uid, gid=gid)
    return RealUser(name=known.pw_name, uid=uid, gid=gid, home=known.pw_dir)


def is_privileged(user: RealUser) -> bool:
    """Tell whether the user may mount, and change owners of files, without a user namespace."""
    needed = capabilities.OF_OWNERS
    return may_mount(user) and capabilities.effective() & needed == needed and not has_one_id()


def may_mount(user: RealUser) -> bool:
    """Tell whether the user is root with the right to mount."""
    return user.uid == 0 and bool(capabilities.effective() & capabilities.SYS_ADMIN)


def has_one_id() -> bool:
    """Tell whether the user namespace of this process has one uid, or one gid."""
    return any(_count_of_ids(f"/proc/self/{file}") == 1 for file in ("uid_map", "gid_map"))


def is_initial() -> bool:
    """Tell whether this is the initial user namespace: in all others no device can be opened."""
    with open("/proc/self/uid_map", encoding="ascii") as extents:
        return extents.read().split() == ["0", "0", str((1 << 32) - 1)]


@dataclass(frozen=True, slots=True)
class Entered:
    """The result of ``enter``."""

    id_map: IdMap
    obstacle: HostError | None = None  # why the namespace has only one id


def enter(user: RealUser) -> Entered:
    """Move this process into namespaces where it is root and may mount; it must have one thread.

    The namespace has the user's subordinate ids, or one id if there are no others to have. The
    working directory, environment, groups and open files stay. Raises NamespacesRefused, and then
    nothing has changed.
    """
    if is_privileged(user):
        _enter_mount_namespace()
        return Entered(IdMap.SAME)
    try:
        if has_one_id():
            raise OneIdHere
        uids, gids = subordinate_ids(user)
        _enter_user_namespace(lambda pid: _write_maps(pid, user, uids, gids))
        entered = Entered(IdMap.SUBORDINATE)
    except (OneIdHere, NoSubordinateIds, NoIdMappers, IdMapRefused) as obstacle:
        _enter_user_namespace(lambda pid: _write_single_map(pid, user))
        entered = Entered(IdMap.SINGLE, obstacle)
    _enter_mount_namespace()
    return entered


def subordinate_ids(user: RealUser) -> tuple[list[IdRange], list[IdRange]]:
    """Return the user's ranges of uids and of gids (subuid(5)). Raises NoSubordinateIds."""
    found = []
    for file, option in (("/etc/subuid", ""), ("/etc/subgid", "-g")):
        ranges = ranges_in(_lines(file), user) or ranges_in(_ask_name_service(user, option), user)
        if not ranges:
            raise NoSubordinateIds(user.name, file, _subordinate_ids_hint(user))
        found.append(ranges)
    return found[0], found[1]


def ranges_in(lines: Iterable[str], user: RealUser) -> list[IdRange]:
    """Return the ranges that ``lines`` of subuid(5) assign to ``user``, by name or by number."""
    ranges: list[IdRange] = []
    for owner, found in _parsed(lines):
        if owner in (user.name, str(user.uid)) and not _overlaps(found, ranges):
            ranges.append(found)
    return ranges[: _MOST_EXTENTS - 1]


def map_arguments(own: int, ranges: Sequence[IdRange]) -> list[str]:
    """Return newuidmap(1)'s triples: 0 is ``own``, the ranges follow from 1 on without gaps."""
    arguments = ["0", str(own), "1"]
    inside = 1
    for one in ranges:
        arguments += [str(inside), str(one.first), str(one.count)]
        inside += one.count
    return arguments


def _enter_mount_namespace() -> None:
    try:
        syscalls.unshare(syscalls.CLONE_NEWNS)
        syscalls.mount("none", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
    except OSError as error:
        raise _refusal(error) from error


def _enter_user_namespace(write_maps: Callable[[int], None]) -> None:
    # A child makes the namespace and tests it, and this process joins it only when the test
    # succeeds: a process that unshares and then finds its id maps refused stays unmapped.
    ours, its = _socketpair()
    pid = os.fork()
    if pid == 0:
        os.close(ours)
        _make_user_namespace(its)
    os.close(its)
    try:
        _expect(ours)
        write_maps(pid)
        os.write(ours, b"m")
        _expect(ours)
        namespace = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
        try:
            syscalls.setns(namespace, syscalls.CLONE_NEWUSER)
        finally:
            os.close(namespace)
    except OSError as error:
        raise _refusal(error) from error
    finally:
        os.close(ours)
        os.waitpid(pid, 0)


def _make_user_namespace(socket: int) -> None:
    """Run the child of ``_enter_user_namespace``: send 0 or errno after each of its two steps."""
    try:
        try:
            syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
            syscalls.unshare(syscalls.CLONE_NEWUSER | syscalls.CLONE_NEWNS)
            os.write(socket, bytes([0]))
            if os.read(socket, 1):
                # AppArmor allows unshare and refuses mounts inside (Ubuntu 23.10 and later).
                syscalls.mount("none", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
                syscalls.mount("tmpfs", "/proc", "tmpfs")
                os.write(socket, bytes([0]))
                os.read(socket, 1)
        except OSError as error:
            os.write(socket, bytes([error.errno or errno.EIO]))
    finally:
        os._exit(0)


def _socketpair() -> tuple[int, int]:
    import socket

    ours, its = socket.socketpair()
    return ours.detach(), its.detach()


def _expect(socket: int) -> None:
    answer = os.read(socket, 1)
    code = answer[0] if answer else errno.EIO
    if code:
        raise OSError(code, os.strerror(code))


def _write_maps(pid: int, user: RealUser, uids: list[IdRange], gids: list[IdRange]) -> None:
    # Both run in parallel: each takes 6 ms, mostly for the execution of a set-user-ID program.
    running = [
        _start_mapper("newuidmap", [str(pid), *map_arguments(user.uid, uids)]),
        _start_mapper("newgidmap", [str(pid), *map_arguments(user.gid, gids)]),
    ]
    failures = [failure for mapper in running if (failure := _failure_of(*mapper))]
    if failures:
        raise IdMapRefused(f"the user namespace got no ids: {failures[0]}", hint=_id_maps_hint())


def _write_single_map(pid: int, user: RealUser) -> None:
    # Without setgroups a process cannot drop a group that denies it a file (user_namespaces(7)).
    for file, text in (
        ("setgroups", "deny"),
        ("uid_map", f"0 {user.uid} 1"),
        ("gid_map", f"0 {user.gid} 1"),
    ):
        descriptor = os.open(f"/proc/{pid}/{file}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)


def _start_mapper(program: str, arguments: list[str]) -> tuple[str, int, int]:
    path = find_id_mapper(program)
    ours, its = os.pipe()
    try:
        pid = os.posix_spawn(
            path,
            [program, *arguments],
            os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, its, 1), (os.POSIX_SPAWN_DUP2, its, 2)],
        )
    finally:
        os.close(its)
    return program, pid, ours


def _failure_of(program: str, pid: int, output: int) -> str:
    with open(output, encoding="utf-8", errors="replace") as text:
        said = text.read().strip()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return f"{program}: {said or f'exit status {code}'}" if code else ""


def find_id_mapper(name: str) -> str:
    """Return the path of newuidmap or newgidmap. Raises NoIdMappers."""
    search = os.environ.get("PATH", "").split(os.pathsep)
    for directory in (*search, "/usr/bin", "/bin", "/usr/local/bin"):
        path = f"{directory}/{name}"
        if directory.startswith("/") and os.access(path, os.X_OK):
            return path
    raise NoIdMappers(name)


def _count_of_ids(file: str) -> int:
    """Return the number of ids in an id map; each line is (inside, outside, count)."""
    return sum(int(line.split()[2]) for line in _lines(file))


def _lines(file: str) -> list[str]:
    try:
        with open(file, encoding="utf-8", errors="replace") as text:
            return text.readlines()
    except OSError:
        return []


def _ask_name_service(user: RealUser, option: str) -> list[str]:
    """Return a directory service's ranges (getsubids(1), FreeIPA), as lines of subuid(5)."""
    import shutil
    import subprocess

    if shutil.which("getsubids") is None:
        return []
    command = ["getsubids", *([option] if option else []), user.name]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    # A line is "0: alice 100000 65536".
    return [":".join(line.partition(": ")[2].split()) for line in said.splitlines()]


def _parsed(lines: Iterable[str]) -> Iterator[tuple[str, IdRange]]:
    for line in lines:
        owner, _, numbers = line.strip().partition(":")
        first, _, count = numbers.partition(":")
        if first.isdecimal() and count.isdecimal() and int(count):
            yield owner, IdRange(int(first), int(count))


def _overlaps(one: IdRange, others: Iterable[IdRange]) -> bool:
    # The kernel refuses an id map that has an id twice.
    return any(
        one.first < other.first + other.count and other.first < one.first + one.count
        for other in others
    )


def _subordinate_ids_hint(user: RealUser) -> str:
    taken = [*_parsed(_lines("/etc/subuid")), *_parsed(_lines("/etc/subgid"))]
    first = max([100_000, *(found.first + found.count for _, found in taken)])
    ids = f"{first}-{first + _USUAL_COUNT - 1}"
    return (
        "RUN needs more ids than your own; an administrator can give them to you with: "
        f"usermod --add-subuids {ids} --add-subgids {ids} {user.name}"
    )


def _id_maps_hint() -> str:
    if _read("/proc/self/status", "NoNewPrivs:") == "1":
        return "this process may gain no privileges (no_new_privs), so newuidmap cannot work"
    return "newuidmap and newgidmap must be set-user-ID root, and /etc/subuid must allow the range"


def _refusal(error: OSError) -> NamespacesRefused:
    return NamespacesRefused(
        f"this system refuses namespaces: {error.strerror}", hint=_hint_for(error.errno)
    )


def _hint_for(code: int | None) -> str:
    if code == errno.EINVAL:
        return "the process had threads already; run img as a program of its own"
    if code in (errno.ENOSPC, errno.EUSERS):
        return "an administrator can allow them with: sysctl -w user.max_user_namespaces=65536"
    if _read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1":
        return (
            "AppArmor forbids them; an administrator can allow them with: "
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
        )
    if _read("/proc/sys/kernel/unprivileged_userns_clone") == "0":
        return "an administrator can allow them with: sysctl -w kernel.unprivileged_userns_clone=1"
    return container.remedy(_IN_POD, _IN_CONTAINER)


def _read(file: str, key: str = "") -> str:
    """Return the rest of the line that starts with ``key`` in ``file``; "" if there is none."""
    for line in _lines(file):
        if line.startswith(key):
            return line.removeprefix(key).strip()
    return ""
