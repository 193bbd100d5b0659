"""System calls that Python's ``os`` lacks, through ctypes.

Each raises OSError as functions of ``os`` do. Strings are encoded as by ``os.fsencode``. A
step makes 130 of these calls in its own process: so each takes few steps of the interpreter.
"""

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

CLONE_NEWNS = 0x0002_0000
CLONE_NEWCGROUP = 0x0200_0000
CLONE_NEWUTS = 0x0400_0000
CLONE_NEWIPC = 0x0800_0000
CLONE_NEWUSER = 0x1000_0000
CLONE_NEWPID = 0x2000_0000
CLONE_NEWNET = 0x4000_0000
_CLONE_PIDFD = 0x1000
_PR_CAPBSET_DROP = 24
_SIGCHLD = 17  # importing signal would slow down the start of every command

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_REMOUNT = 0x20
MS_BIND = 0x1000
MS_MOVE = 0x2000
MS_REC = 0x4000
MS_PRIVATE = 0x4_0000
MS_STRICTATIME = 0x100_0000
MNT_DETACH = 0x2

MOUNT_ATTR_RDONLY = 0x1
MOUNT_ATTR_NOSUID = 0x2
MOUNT_ATTR_NODEV = 0x4
MOUNT_ATTR_NOEXEC = 0x8

RESOLVE_NO_MAGICLINKS = 0x2
RESOLVE_NO_SYMLINKS = 0x4
RESOLVE_BENEATH = 0x8
RESOLVE_IN_ROOT = 0x10

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4

AT_FDCWD = -100
AT_SYMLINK_NOFOLLOW = 0x100
AT_REMOVEDIR = 0x200
AT_EMPTY_PATH = 0x1000
_AT_RECURSIVE = 0x8000

FICLONE = 0x4004_9409
OPAQUE_XATTR = "user.overlay.opaque"  # of overlays with the mount option userxattr

_OPEN_TREE_CLONE = 0x1
_MOVE_MOUNT_EMPTY_PATHS = 0x4 | 0x40  # F_EMPTY_PATH, T_EMPTY_PATH
_LONGEST_HANDLE = 128  # bytes, MAX_HANDLE_SZ
_ATTEMPTS = 128  # of openat2; runc makes as many
_LAST_DESCRIPTOR = 0xFFFF_FFFF
_KEYCTL_JOIN_SESSION_KEYRING = 1
_DEFAULT = bytes(32)  # the kernel's struct sigaction with SIG_DFL
_SIGSET_SIZE = 8
_CAPABILITY_VERSION_3 = 0x2008_0522

# From 424 on the numbers are the same on all architectures (asm-generic/unistd.h).
_EVERYWHERE = {
    "open_tree": 428,
    "move_mount": 429,
    "clone3": 435,
    "close_range": 436,
    "openat2": 437,
    "pidfd_getfd": 438,
    "mount_setattr": 442,
    "landlock_create_ruleset": 444,
    "landlock_add_rule": 445,
    "landlock_restrict_self": 446,
}
_GENERIC = {"pivot_root": 41, "rt_sigaction": 134, "keyctl": 219, "clone": 220} | _EVERYWHERE
NUMBERS = {
    "x86_64": {"pivot_root": 155, "rt_sigaction": 13, "keyctl": 250, "clone": 56} | _EVERYWHERE,
    "aarch64": _GENERIC,
    "riscv64": _GENERIC,
}
"""Numbers by ``uname -m`` of the calls that this module makes and C libraries may not wrap.

Not from ``call_numbers``, whose tables would slow down the start of every command.
"""

# Functions are looked up before the fork of a step: each step process would repeat the lookup.
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
libc.mount.argtypes = (
    ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p,
)  # fmt: skip
libc.umount2.argtypes = (ctypes.c_char_p, ctypes.c_int)
libc.prctl.argtypes = (ctypes.c_int, *(ctypes.c_ulong,) * 4)
libc.capset.argtypes = (ctypes.c_char_p, ctypes.c_char_p)
libc.sethostname.argtypes = (ctypes.c_char_p, ctypes.c_size_t)
libc_with_gil = ctypes.PyDLL(None, use_errno=True)  # for calls too short to release the GIL
libc_with_gil.syscall.restype = ctypes.c_long
_numbers = NUMBERS.get(os.uname().machine, _EVERYWHERE)
_NO_CALL = -1  # fails with ENOSYS
_ENCODING, _ERRORS = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()


def _call(name: str, *kinds: Any) -> Callable[..., int]:
    """Return the system call ``name`` for arguments of these types; the result is for _checked."""
    function = libc["syscall"]  # another object each time
    function.restype = ctypes.c_long
    function.argtypes = (ctypes.c_long, *kinds)
    return partial(function, _numbers.get(name, _NO_CALL))


_NUMBER, _BYTES = ctypes.c_long, ctypes.c_char_p
_pivot_root = _call("pivot_root", _BYTES, _BYTES)
_open_tree = _call("open_tree", _NUMBER, _BYTES, _NUMBER)
_move_mount = _call("move_mount", _NUMBER, _BYTES, _NUMBER, _BYTES, _NUMBER)
_mount_setattr = _call("mount_setattr", _NUMBER, _BYTES, _NUMBER, _BYTES, _NUMBER)
_openat2 = _call("openat2", _NUMBER, _BYTES, _BYTES, _NUMBER)
_pidfd_getfd = _call("pidfd_getfd", *(_NUMBER,) * 3)
_rt_sigaction = _call("rt_sigaction", _NUMBER, _BYTES, _NUMBER, _NUMBER)
_close_range_call = _call("close_range", *(_NUMBER,) * 3)
_landlock_create_ruleset = _call("landlock_create_ruleset", _BYTES, _NUMBER, _NUMBER)
_landlock_add_rule = _call("landlock_add_rule", _NUMBER, _NUMBER, _BYTES, _NUMBER)
_landlock_restrict_self = _call("landlock_restrict_self", _NUMBER, _NUMBER)
_keyctl = _call("keyctl", _NUMBER, _NUMBER)


def unshare(flags: int) -> None:
    """Move the process into new namespaces (unshare(2))."""
    _checked(libc.unshare(ctypes.c_int(flags)), "unshare")


def setns(descriptor: int, kind: int) -> None:
    """Move the process into the namespace behind ``descriptor`` (setns(2))."""
    _checked(libc.setns(ctypes.c_int(descriptor), ctypes.c_int(kind)), "setns")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Mount, remount or bind (mount(2)); ``options`` may take one page at most."""
    result = libc.mount(
        _encoded(source), _encoded(target), kind.encode(), flags, options.encode() or None
    )
    _checked(result, target)


def umount2(target: str, flags: int = 0) -> None:
    """Unmount (umount2(2))."""
    _checked(libc.umount2(_encoded(target), flags), target)


def syncfs(descriptor: int) -> None:
    """Write the cached data of the file system of ``descriptor`` to disk (syncfs(2))."""
    _checked(libc.syncfs(ctypes.c_int(descriptor)), "syncfs")


def pivot_root(new_root: str, put_old: str) -> None:
    """Change the root of the mount namespace (pivot_root(2))."""
    _checked(_pivot_root(_encoded(new_root), _encoded(put_old)), "pivot_root")


def open_tree(path: str, *, directory: int = -100, recursive: bool = True) -> int:
    """Return a detached copy of the mount at ``path`` (open_tree(2))."""
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | (_AT_RECURSIVE if recursive else 0)
    return _checked(_open_tree(directory, _encoded(path), flags), path)


def mount_setattr(mounted: int, attributes: int, *, recursive: bool = True) -> None:
    """Set ``MOUNT_ATTR_*`` on a tree that ``open_tree`` returned (mount_setattr(2), Linux 5.12)."""
    flags = AT_EMPTY_PATH | (_AT_RECURSIVE if recursive else 0)
    attr = struct.pack("QQQQ", attributes, 0, 0, 0)
    _checked(_mount_setattr(mounted, b"", flags, attr, len(attr)), "mount_setattr")


def move_mount(mounted: int, target: int) -> None:
    """Attach a tree that ``open_tree`` returned at the O_PATH descriptor ``target``."""
    _checked(_move_mount(mounted, b"", target, b"", _MOVE_MOUNT_EMPTY_PATHS), "move_mount")


def openat2(
    directory: int, path: str, flags: int, *, resolve: int = RESOLVE_IN_ROOT, mode: int = 0
) -> int:
    """Open ``path`` with ``directory`` as the root, which links cannot leave (openat2(2))."""
    how = struct.pack("QQQ", flags | os.O_CLOEXEC, mode, resolve)
    encoded = _encoded(path)
    found = -1
    for _ in range(_ATTEMPTS):
        found = _openat2(directory, encoded, how, len(how))
        # EAGAIN: a concurrent rename or mount during the lookup of ".."
        if found >= 0 or ctypes.get_errno() != errno.EAGAIN:
            break
    return _checked(found, path)


def name_to_handle_at(path: str) -> tuple[int, bytes]:
    """Return the type and the bytes of the handle of a file or a link (open_by_handle_at(2))."""
    handle = ctypes.create_string_buffer(struct.pack("Ii", _LONGEST_HANDLE, 0), 8 + _LONGEST_HANDLE)
    mounted = ctypes.c_int()
    result = libc.name_to_handle_at(AT_FDCWD, os.fsencode(path), handle, ctypes.byref(mounted), 0)
    _checked(result, path)
    size, kind = struct.unpack_from("Ii", handle)
    return kind, handle.raw[8 : 8 + size]


def open_by_handle_at(place: int, kind: int, handle: bytes) -> int:
    """Open the file with that handle on the file system of ``place`` (open_by_handle_at(2))."""
    value = struct.pack("Ii", len(handle), kind) + handle
    return _checked(libc.open_by_handle_at(place, value, os.O_PATH | os.O_CLOEXEC), "handle")


def fork_into(namespaces: int) -> tuple[int, int]:
    """Fork; return (pid, pidfd), or (0, -1) in the child, in new ``CLONE_NEW*`` namespaces.

    For processes with one thread only, as ``fork``.
    """
    if not namespaces:  # as clone3 fails if a container's seccomp filter denies it
        plain = fork()
        return plain, os.pidfd_open(plain) if plain else -1
    pidfd = ctypes.c_int(-1)
    arguments = struct.pack(
        "QQQQQQQQ",  # struct clone_args, version 0
        namespaces | _CLONE_PIDFD,
        ctypes.addressof(pidfd),
        0,
        0,
        _SIGCHLD,
        0,
        0,
        0,
    )
    # PyDLL keeps the GIL, as os.fork() does.
    pid = libc_with_gil.syscall(
        ctypes.c_long(_numbers["clone3"]), arguments, ctypes.c_size_t(len(arguments))
    )
    if pid == 0:
        return 0, -1
    _checked(pid, "clone3")
    return int(pid), pidfd.value


def fork() -> int:
    """Fork; return the pid, or 0 in the child.

    For processes with one thread only: no fork hooks run. Python's hooks serve threads, and cost as
    much as the fork itself.
    """
    if "clone" not in _numbers:
        return os.fork()
    nothing = (ctypes.c_long(0),) * 4
    pid = libc_with_gil.syscall(ctypes.c_long(_numbers["clone"]), ctypes.c_long(_SIGCHLD), *nothing)
    return _checked(pid, "clone")


def prctl(option: int, argument: int = 0) -> None:
    """Set one property of the process (prctl(2))."""
    _checked(libc.prctl(option, argument, 0, 0, 0), "prctl")


def drop_from_bounding_set(numbers: Iterable[int]) -> None:
    """Drop capabilities from the bounding set (capabilities(7)); unknown numbers are ignored."""
    for number in numbers:
        if libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0) < 0 and ctypes.get_errno() != errno.EINVAL:
            _checked(-1, "prctl")


def capset(effective: int, inheritable: int = 0) -> None:
    """Set the effective and permitted capabilities, as bit masks (capset(2))."""
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    halves = [
        part
        for shift in (0, 32)
        for part in ((effective >> shift) & 0xFFFF_FFFF,) * 2
        + ((inheritable >> shift) & 0xFFFF_FFFF,)
    ]
    _checked(libc.capset(header, struct.pack("6I", *halves)), "capset")


def sethostname(name: str) -> None:
    """Set the host name of the current UTS namespace (sethostname(2))."""
    encoded = os.fsencode(name)
    _checked(libc.sethostname(encoded, len(encoded)), name)


def close_descriptors(*, but: int | Iterable[int]) -> None:
    """Close all descriptors above 2 except ``but`` (close_range(2))."""
    first = 3
    for kept in sorted([but] if isinstance(but, int) else but):
        _close_range(first, kept - 1, 0)
        first = max(first, kept + 1)
    _close_range(first, _LAST_DESCRIPTOR, 0)


def pidfd_getfd(pid: int, descriptor: int) -> int:
    """Return a copy of another process' descriptor (pidfd_getfd(2), Linux 5.6)."""
    process = os.pidfd_open(pid)
    try:
        copy = _checked(_pidfd_getfd(process, descriptor, 0), "pidfd_getfd")
    finally:
        os.close(process)
    os.set_inheritable(copy, False)
    return copy


def default_signals(numbers: Iterable[int]) -> None:
    """Set signals to SIG_DFL, also those that the C library reserves and ``signal`` cannot set."""
    for number in numbers:
        _checked(_rt_sigaction(number, _DEFAULT, 0, _SIGSET_SIZE), "rt_sigaction")


def landlock_create_ruleset(attributes: bytes, flags: int) -> int:
    """Return a new ruleset, or the result of ``flags`` (landlock_create_ruleset(2), Linux 5.13)."""
    size = len(attributes)
    created = _landlock_create_ruleset(attributes if size else None, size, flags)
    _checked(created, "landlock_create_ruleset")
    if size:
        os.set_inheritable(created, False)
    return created


def landlock_add_rule(ruleset: int, kind: int, rule: bytes) -> None:
    """Add a rule to a ruleset (landlock_add_rule(2))."""
    _checked(_landlock_add_rule(ruleset, kind, rule, 0), "landlock_add_rule")


def landlock_restrict_self(ruleset: int) -> None:
    """Enforce a ruleset on this process and its descendants (landlock_restrict_self(2))."""
    _checked(_landlock_restrict_self(ruleset, 0), "landlock_restrict_self")


def join_new_session_keyring() -> None:
    """Join a new session keyring, without the keys of the caller's keyring (keyctl(2))."""
    _checked(_keyctl(_KEYCTL_JOIN_SESSION_KEYRING, 0), "keyctl")


def _close_range(first: int, last: int, flags: int) -> None:
    if first > last:
        return
    try:
        _checked(_close_range_call(first, last, flags), "close_range")
    except OSError:  # before Linux 5.9
        for descriptor in map(int, os.listdir("/proc/self/fd")):
            if first <= descriptor <= last:
                _close_if_open(descriptor)


def _close_if_open(descriptor: int) -> None:
    try:
        os.close(descriptor)
    except OSError:  # the descriptor that listed the directory
        return


def _encoded(text: str) -> bytes:
    return text.encode(_ENCODING, _ERRORS)


def _checked(result: int, what: str) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), what)
    return result
