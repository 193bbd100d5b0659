"""What is tried as the user is."""

import ctypes
import fcntl
import os
import sys
import tempfile
from collections.abc import Callable, Mapping

from img.adapters.linux import capabilities, seccomp, syscalls
from img.adapters.linux.seccomp import Rule
from img.domain.errors import HostError

_CLONE_FILE = 0x4004_9409  # FICLONE
_PROGRAMS = ("runc", "crun", "proot", "fuse-overlayfs", "slirp4netns")
_CHROOT_NEEDS = capabilities.mask_of("chown", "mknod", "setgid", "setpcap", "setuid", "sys_chroot")
_TRACE_ME = 0


def probes(directory: str) -> Mapping[str, Callable[[], str]]:
    """Return what to try, by name, for the state ``directory``."""
    return {
        "seccomp notification": notification,
        "chroot": chroot,
        "ptrace": ptrace,
        "fuse": fuse,
        "state": lambda: state(directory),
        "xattrs": lambda: xattrs(directory),
        "reflinks": lambda: reflinks(directory),
        "cgroup": cgroup,
        "tun": tun,
        "foreign programs": foreign_programs,
        "privileges": privileges,
        **{name: _installed(name) for name in _PROGRAMS},
    }


def apparmor_remedy() -> str:
    """Return how to let this Python make namespaces, "" where AppArmor is not what forbids it."""
    if _line_of("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") != "1":
        return ""
    python = os.path.realpath(sys.executable)
    profile = f"abi <abi/4.0>, profile img {python} flags=(unconfined) {{ userns, }}"
    return (
        f"as root: echo '{profile}' > /etc/apparmor.d/img && apparmor_parser -r /etc/apparmor.d/img"
    )


def notification() -> str:
    """Put a filter under this process that tells of a call."""
    machine = seccomp.this_machine()
    if machine is None:
        raise HostError(f"call numbers of {os.uname().machine} are not known to img")
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    program = seccomp.program(machine, [Rule("acct", seccomp.NOTIFY)])
    os.close(seccomp.load_and_listen(program))
    return "filters can ask"


def chroot() -> str:
    """Change the root, with what else a step there needs."""
    if missing := _CHROOT_NEEDS & ~capabilities.effective():
        names = [name for bit, name in enumerate(capabilities.NAMES) if missing >> bit & 1]
        raise HostError(f"this process lacks {', '.join(names)}")
    os.chroot("/")
    return "allowed"


def ptrace() -> str:
    """Let a child be traced."""
    libc = ctypes.CDLL(None, use_errno=True)
    pid = os.fork()
    if pid == 0:
        os._exit(0 if libc.ptrace(_TRACE_ME, 0, 0, 0) == 0 else 1)
    if os.waitpid(pid, 0)[1]:
        raise HostError("nobody may be traced here", hint="add the capability SYS_PTRACE")
    return "allowed"


def fuse() -> str:
    """Open /dev/fuse."""
    return _opened("/dev/fuse", "in a container, start it with --device /dev/fuse")


def tun() -> str:
    """Open /dev/net/tun."""
    return _opened("/dev/net/tun", "in a container, start it with --device /dev/net/tun")


def state(directory: str) -> str:
    """Return the file system that the state is on."""
    with tempfile.TemporaryFile(dir=directory):
        facts = os.statvfs(directory)
    free = facts.f_bavail * facts.f_frsize // (1 << 20)
    return f"{directory} on {_file_system(directory)}, {free} MB free"


def xattrs(directory: str) -> str:
    """Write an attribute."""
    with tempfile.TemporaryFile(dir=directory) as file:
        os.setxattr(file.fileno(), "user.img.probe", b"1")
    return "kept"


def reflinks(directory: str) -> str:
    """Clone a file."""
    with tempfile.TemporaryFile(dir=directory) as one, tempfile.TemporaryFile(dir=directory) as two:
        one.write(bytes(4096))
        one.flush()
        fcntl.ioctl(two.fileno(), _CLONE_FILE, one.fileno())
    return "made"


def cgroup() -> str:
    """Find the control group of this process, and whether it may have children."""
    with open("/proc/self/cgroup", encoding="ascii") as lines:
        own = next((line.strip()[3:] for line in lines if line.startswith("0::")), "")
    path = f"/sys/fs/cgroup{own}"
    if not os.path.exists(f"{path}/cgroup.controllers"):
        raise HostError("no unified hierarchy of control groups")
    if not os.access(f"{path}/cgroup.subtree_control", os.W_OK):
        raise HostError(
            f"{path} may not be written",
            hint="run img below `systemd-run --user --scope -p Delegate=yes`",
        )
    return f"{path} with {_line_of(f'{path}/cgroup.controllers')}"


def foreign_programs() -> str:
    """Return the interpreters of other processors' programs (binfmt_misc)."""
    directory = "/proc/sys/fs/binfmt_misc"
    found = os.listdir(directory) if os.path.isdir(directory) else []
    names = sorted(name for name in found if name.startswith("qemu-"))
    if not names:
        raise HostError("none", hint="install qemu-user-static with binfmt support")
    return ", ".join(names)


def privileges() -> str:
    """Return who this process is."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as lines:
        facts = dict(line.rstrip("\n").split(":\t", 1) for line in lines)
    return (
        f"uid {os.geteuid()}, capabilities {facts['CapEff']}, no_new_privs "
        f"{facts.get('NoNewPrivs', '?')}, seccomp {facts.get('Seccomp', '?')}"
    )


def _installed(name: str) -> Callable[[], str]:
    def probe() -> str:
        search = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"
        for directory in search.split(os.pathsep):
            if directory and os.access(f"{directory}/{name}", os.X_OK):
                return f"{directory}/{name}"
        raise HostError("not installed", hint=f"install {name}")

    return probe


def _opened(path: str, remedy: str) -> str:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        raise HostError(f"{path}: {error.strerror}", hint=remedy) from error
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


def _line_of(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.readline().strip()
    except OSError:
        return ""
