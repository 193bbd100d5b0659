"""The files of the host that PRoot, and with it a step, may access, on kernels with Landlock.

PRoot shows a step its root by rewriting paths, which is no security boundary; this is one, for
files: the step's root, its mounts, /proc and /sys of the host, and what programs of the host need.
"""

import os
from collections.abc import Iterator

from img.adapters.executor import privileges
from img.adapters.executor.launch import Launch
from img.adapters.executor.mount_substitutes import path_in
from img.adapters.linux import landlock, proot_program, syscalls
from img.adapters.linux.landlock import Access
from img.domain.process import BindMount, DirectoryRoot, TreeMount, Volume

# The host's programs, such as PRoot, and their libraries.
_PROGRAMS = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/etc/ld.so.cache")
_WRITING = Access.WRITE_FILE | Access.TRUNCATE | Access.IOCTL_DEV
_READ_WRITE = landlock.READING | _WRITING
_TEMPORARY = (
    _READ_WRITE | Access.MAKE_REG | Access.MAKE_DIR | Access.REMOVE_FILE | Access.REMOVE_DIR
)


def confine_to_files(launch: Launch, own: str, loaders: str) -> None:
    """Limit this process and its descendants to the files of the step.

    ``own`` is img's directory with files for the step, ``loaders`` the one that PRoot executes its
    loader in. Raises ExecutorUnavailable.
    """
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    files = []
    for path, access in ((own, landlock.ALL), *_reached(launch, loaders)):
        try:
            files.append((os.open(path, os.O_PATH | os.O_CLOEXEC), access))
        except FileNotFoundError:
            continue
    privileges.separate(launch.process, files)
    for descriptor, _ in files:
        os.close(descriptor)


def is_system_writable() -> bool:
    """Tell whether this user may write to settings of the kernel, as root outside of containers."""
    return os.access("/proc/sys/kernel/core_pattern", os.W_OK)


def _reached(launch: Launch, loaders: str) -> Iterator[tuple[str, Access]]:
    assert isinstance(launch.root, DirectoryRoot)
    yield launch.root.path, landlock.ALL
    for path in (*_PROGRAMS, launch.program):
        yield path, landlock.READING
    for directory in {proot_program.TMP, loaders}:
        yield directory, _TEMPORARY
    for name in ("PROOT_LOADER", "PROOT_LOADER_32"):
        if loader := os.environ.get(name):
            yield loader, landlock.READING
    yield "/proc", landlock.READING if is_system_writable() else _READ_WRITE
    yield "/sys", landlock.READING
    for name in ("null", "zero", "full", "random", "urandom", "tty"):
        yield f"/dev/{name}", _READ_WRITE
    for mount in launch.process.mounts:
        match mount:
            case BindMount(source=source, read_only=read_only):
                yield source, landlock.READING if read_only else landlock.ALL
            case Volume(source=source):
                yield source, landlock.ALL
            case TreeMount(root=root, source=source, read_only=read_only):
                yield path_in(root, source), landlock.READING if read_only else landlock.ALL
            case _:
                continue
