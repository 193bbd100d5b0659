"""The devices of a step in a changed root: its own ones, or answers to calls with their paths.

On a file system that is mounted nodev no device can be opened, and in a user namespace none can be
made. There the files in the step's /dev are placeholders, and the supervisor of the step opens
devices outside of its root (proc_supervision.py).
"""

import os
import stat
from collections.abc import Mapping

from img.adapters.executor.system_mounts import DEVICES
from img.adapters.linux import small_files
from img.adapters.syscall_supervisor import bpf
from img.application.ports.executor import ExecutorUnavailable


def fill(directory: str) -> Mapping[bytes, int]:
    """Create the devices, or placeholders, in the /dev of a step.

    Return the O_PATH descriptors of the devices that placeholders stand for, by name. Raises
    ExecutorUnavailable.
    """
    obstacle = _obstacle_to_devices(f"{directory}/null", DEVICES["null"])
    if obstacle is None:
        for name, device in DEVICES.items():
            _make(f"{directory}/{name}", device)
        return {}
    if unanswered := bpf.obstacle_to_listening():
        raise ExecutorUnavailable(
            f"no devices can be made below {os.path.dirname(directory)}: {obstacle.strerror};"
            f" and no filter can ask: {unanswered.strerror}",
            hint="put the state on a file system that is not mounted nodev (--state)",
        )
    for name in DEVICES:
        small_files.create(f"{directory}/{name}", b"")
        os.chmod(f"{directory}/{name}", 0o666)
    return {name.encode(): _outside(name, device) for name, device in DEVICES.items()}


def null_of(directory: str, devices: Mapping[bytes, int]) -> int:
    """Return the null device of the step, open for reading."""
    null = devices.get(b"null")
    path = f"{directory}/null" if null is None else f"/proc/self/fd/{null}"
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def _obstacle_to_devices(path: str, device: tuple[int, int]) -> OSError | None:
    """Return why no device at ``path`` can be made and opened."""
    try:
        _make(path, device)
        try:
            os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        finally:
            os.unlink(path)
    except OSError as error:
        return error
    return None


def _make(path: str, device: tuple[int, int]) -> None:
    os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(*device))
    os.chmod(path, 0o666)


def _outside(name: str, device: tuple[int, int]) -> int:
    """Open a device outside of the step's root as O_PATH.

    It is a new one, so that a step cannot change the mode of the container's, or, in a user
    namespace, the container's, which belongs to an id that no process there has.
    """
    path = f"/dev/.img-{os.urandom(8).hex()}"
    if _obstacle_to_devices(path, DEVICES["null"]) is not None:
        return _opened(f"/dev/{name}", device)
    _make(path, device)
    try:
        return _opened(path, device)
    finally:
        os.unlink(path)


def _opened(path: str, device: tuple[int, int]) -> int:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        status = os.fstat(descriptor)
    except OSError as error:
        raise ExecutorUnavailable(f"cannot open the device {path}: {error.strerror}") from error
    if not stat.S_ISCHR(status.st_mode) or status.st_rdev != os.makedev(*device):
        raise ExecutorUnavailable(f"{path} is not the device {device[0]}:{device[1]}")
    return descriptor
