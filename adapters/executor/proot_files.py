"""The files of the host that PRoot, and with it a step, may access, on kernels with Landlock.

PRoot shows a step its root by rewriting paths, which is no security boundary; this is one, for
files: the step's root, its mounts, /proc and /sys of the host, and what programs of the host need.
"""

import os
from collections.abc import Iterator

from img.adapters.executor import privileges
from img.adapters.executor.launch import Launch
from img.adapters.executor.mount_substitutes import path_in
from img.adapters.linux import landlock, syscalls
from img.adapters.linux.landlock import Access
from img.domain.process import BindMount, DirectoryRoot, TreeMount

# The host's programs, such as PRoot, and their libraries.
_PROGRAMS = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/etc/ld.so.cache")
_WRITING = Access.WRITE_FILE | Access.TRUNCATE | Access.IOCTL_DEV
_READ_WRITE = landlock.READING | _WRITING
_TEMPORARY = (
    _READ_WRITE | Access.MAKE_REG | Access.MAKE_DIR | Access.REMOVE_FILE | Access.REMOVE_DIR
)


def confine_to_files(launch: Launch, own: str) -> None:
    """Limit this process and its descendants to the files of the step.

    ``own`` is img's directory with files for the step. Raises ExecutorUnavailable.
    """
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    files = []
    for path, access in ((own, landlock.ALL), *_reached(launch)):
        try:
            files.append((os.open(path, os.O_PATH | os.O_CLOEXEC), access))
        except FileNotFoundError:
            continue
    privileges.separate(launch.process, files)
    for descriptor, _ in files:
        os.close(descriptor)


def _reached(launch: Launch) -> Iterator[tuple[str, Access]]:
    assert isinstance(launch.root, DirectoryRoot)
    yield launch.root.path, landlock.ALL
    for path in (*_PROGRAMS, launch.program):
        yield path, landlock.READING
    # PRoot writes and starts a helper program there; the path is not configurable in older
    # versions.
    for directory in ("/tmp", os.environ.get("PROOT_TMP_DIR")):
        if directory:
            yield directory, _TEMPORARY
    for name in ("PROOT_LOADER", "PROOT_LOADER_32"):
        if loader := os.environ.get(name):
            yield loader, landlock.READING
    yield "/proc", _READ_WRITE
    yield "/sys", landlock.READING
    for name in ("null", "zero", "full", "random", "urandom", "tty"):
        yield f"/dev/{name}", _READ_WRITE
    for mount in launch.process.mounts:
        match mount:
            case BindMount(source=source, read_only=read_only):
                yield source, landlock.READING if read_only else landlock.ALL
            case TreeMount(root=root, source=source, read_only=read_only):
                yield path_in(root, source), landlock.READING if read_only else landlock.ALL
            case _:
                continue
