"""Probes that run as the user, and do not change their process."""

import errno
import fcntl
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Mapping

from img.adapters.linux import container, userns
from img.adapters.linux.hierarchies import hierarchies_of
from img.adapters.linux.syscalls import FICLONE
from img.adapters.linux.userns import RealUser
from img.domain.errors import HostError

_PROGRAMS = ("runc", "crun", "proot", "fuse-overlayfs", "slirp4netns")
_WITHOUT_MEDIUM = "without emptyDir.medium: Memory, if that one is noexec"
_MAPPERS = ("newuidmap", "newgidmap")


def probes(directory: str, user: RealUser) -> Mapping[str, Callable[[], str]]:
    """Return the probes by name, for the state ``directory`` of ``user``."""
    return {
        "newuidmap": lambda: id_mappers(user),
        "no_new_privs": new_privileges,
        "AppArmor": apparmor,
        "privileges": privileges,
        "state": lambda: state(directory),
        "xattrs": lambda: xattrs(directory),
        "reflinks": lambda: reflinks(directory),
        "fuse": lambda: _opened("/dev/fuse", "fuse"),
        "tun": lambda: _opened("/dev/net/tun", "tun"),
        "cgroup": cgroup,
        "foreign programs": foreign_programs,
        **{name: _installed(name) for name in _PROGRAMS},
    }


def apparmor_remedy() -> str:
    """Return the remedy if AppArmor forbids this Python to make namespaces, "" otherwise."""
    if _line_of("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") != "1":
        return ""
    python = os.path.realpath(sys.executable)
    profile = f"abi <abi/4.0>, profile img {python} flags=(unconfined) {{ userns, }}"
    return (
        f"as root: echo '{profile}' > /etc/apparmor.d/img && apparmor_parser -r /etc/apparmor.d/img"
    )


def id_mappers(user: RealUser) -> str:
    """Find the programs that map subordinate ids, and check their privileges."""
    if userns.is_privileged(user):
        return "not needed: this is root"
    if userns.has_one_id():
        raise userns.OneIdHere
    paths = [userns.find_id_mapper(name) for name in _MAPPERS]
    for path in paths:
        if not _gains_privileges(path):
            raise HostError(
                f"{path} has no privileges to gain",
                hint=f"as root: chmod u+s {path} (a reinstall of its package does the same)",
            )
    return ", ".join(paths)


def new_privileges() -> str:
    """Check whether set-user-ID programs work for this process."""
    if _status()["NoNewPrivs"] == "1":
        raise HostError(
            "set: newuidmap gains nothing, nor does sudo in a step",
            hint="in Kubernetes, securityContext.allowPrivilegeEscalation: true; in systemd,"
            " NoNewPrivileges=no",
        )
    return "not set"


def apparmor() -> str:
    """Check whether AppArmor restricts user namespaces."""
    confined_by = _line_of("/proc/self/attr/current") or "unconfined"
    if remedy := apparmor_remedy():
        raise HostError(f"restricts namespaces of users ({confined_by})", hint=remedy)
    return f"restricts no namespaces ({confined_by})"


def state(directory: str) -> str:
    """Return the file system of the state."""
    with tempfile.TemporaryFile(dir=directory):
        facts = os.statvfs(directory)
    if facts.f_flag & os.ST_NOEXEC:
        raise HostError(
            f"{directory} is on a file system that is mounted noexec: no RUN without namespaces",
            hint=container.remedy(
                f"mount an emptyDir there ({_WITHOUT_MEDIUM})",
                "put the state (--state) on a volume",
            ),
        )
    free = facts.f_bavail * facts.f_frsize // (1 << 20)
    return f"{directory} on {_file_system(directory)}, {free} MB free"


def xattrs(directory: str) -> str:
    """Write an extended attribute."""
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            os.setxattr(file.fileno(), "user.img.probe", b"1")
    except OSError as error:
        raise HostError(
            f"{error.strerror} on {_file_system(directory)}",
            hint="put the state (--state) on ext4, xfs or btrfs, such as an emptyDir of a pod; on"
            " tmpfs (emptyDir.medium: Memory) from Linux 6.6 on",
        ) from error
    return "kept"


def reflinks(directory: str) -> str:
    """Clone a file."""
    try:
        with (
            tempfile.TemporaryFile(dir=directory) as one,
            tempfile.TemporaryFile(dir=directory) as two,
        ):
            one.write(bytes(4096))
            one.flush()
            fcntl.ioctl(two.fileno(), FICLONE, one.fileno())
    except OSError as error:
        raise HostError(
            f"{error.strerror} on {_file_system(directory)}",
            hint="put the state (--state) on btrfs or xfs",
        ) from error
    return "made"


def cgroup() -> str:
    """Return a directory in which control groups with a memory limit can be created."""
    found = [each for each in hierarchies_of("/proc/self") if "memory" in each.controllers]
    if not found:
        raise HostError("no control groups that count memory are mounted")
    best = found[0]
    directory = best.top if best.unified and os.geteuid() == 0 else best.own
    if not os.access(f"{directory}/cgroup.procs", os.W_OK):
        raise HostError(f"{directory} may not be written", hint=best.remedy)
    return f"{directory}, version {2 if best.unified else 1}"


def foreign_programs() -> str:
    """Return the interpreters of other processors' programs (binfmt_misc)."""
    directory = "/proc/sys/fs/binfmt_misc"
    found = os.listdir(directory) if os.path.isdir(directory) else []
    names = sorted(name for name in found if name.startswith("qemu-"))
    if not names:
        raise HostError(
            "no interpreters registered",
            hint="as root: apt-get install qemu-user-static binfmt-support",
        )
    return ", ".join(names)


def privileges() -> str:
    """Return the user and the privileges of this process."""
    facts = _status()
    return (
        f"uid {os.geteuid()}, capabilities {facts['CapEff']}, seccomp {facts.get('Seccomp', '?')}"
    )


def _installed(name: str) -> Callable[[], str]:
    def probe() -> str:
        search = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"
        for directory in search.split(os.pathsep):
            if directory and os.access(f"{directory}/{name}", os.X_OK):
                return f"{directory}/{name}"
        raise HostError("not installed", hint=f"install the package {name}")

    return probe


def _gains_privileges(path: str) -> bool:
    status = os.stat(path)
    if status.st_mode & stat.S_ISUID and status.st_uid == 0:
        return True
    return "security.capability" in os.listxattr(path)


def _opened(path: str, module: str) -> str:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        hint = container.remedy(
            f"ask for {path} by a device plugin (resources.limits)",
            f"start it with --device {path}",
        )
        if error.errno == errno.EACCES:
            hint = f"as root: chmod 0666 {path}"
        elif error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
            hint = f"as root: modprobe {module}; {hint}"
        raise HostError(f"{path}: {error.strerror}", hint=hint) from error
    return path


def _file_system(directory: str) -> str:
    best, kind = "", "?"
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
        for words in map(str.split, lines):
            point = words[4]
            below = f"{os.path.realpath(directory)}/".startswith(f"{point.rstrip('/')}/")
            if below and len(point) >= len(best):
                best, kind = point, words[words.index("-") + 1]
    return kind


def _status() -> dict[str, str]:
    with open("/proc/self/status", encoding="utf-8", errors="replace") as lines:
        return dict(line.rstrip("\n").split(":\t", 1) for line in lines)


def _line_of(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.readline().strip("\0\n ")
    except OSError:
        return ""
