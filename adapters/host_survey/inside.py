"""Probes that run in the namespaces of a build."""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping

from img.adapters.linux import container, syscalls
from img.adapters.linux.boot import boot_name
from img.adapters.linux.host_probe_cache import HostProbeCache
from img.adapters.linux.id_map import IdMap
from img.adapters.linux.overlay_trial import try_overlay
from img.domain.errors import HostError

NAMES = ("overlay", "proc", "network namespace")


def probes(directory: str, ids: IdMap) -> Mapping[str, Callable[[], str]]:
    """Return the probes by name, for the state ``directory``."""
    tries = (lambda: overlay(directory, ids), proc, network)
    return dict(zip(NAMES, tries, strict=True))


def id_ranges() -> str:
    """Return the number of ids."""
    with open("/proc/self/uid_map", encoding="utf-8") as lines:
        count = sum(int(line.split()[2]) for line in lines)
    return f"{count} ids"


def overlay(directory: str, ids: IdMap) -> str:
    """Mount an overlay and check that it keeps deletions. Raises HostError."""
    base = tempfile.mkdtemp(dir=directory, prefix=".probe-")
    try:
        try_overlay(base, directory)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    # A refusal that a build recorded (snapshotter/auto.py) is out of date now.
    snapshots = f"{directory}/snapshots/{ids.value}/{boot_name()}"
    HostProbeCache(f"{snapshots}/overlay/refused.json").forget("overlay")
    return "mounted, with whiteouts and opaque directories"


def proc() -> str:
    """Mount a /proc. Raises HostError."""
    pid, _ = syscalls.fork_into(syscalls.CLONE_NEWPID | syscalls.CLONE_NEWNS)
    if pid == 0:
        code = 1
        try:
            syscalls.mount("proc", "/proc", "proc")
            code = 0
        finally:
            os._exit(code)
    if os.waitpid(pid, 0)[1]:
        raise HostError(
            "parts of /proc are hidden, so no other can be mounted",
            hint=container.remedy(
                "set hostUsers: false and securityContext.procMount: Unmasked",
                "start it with --security-opt systempaths=unconfined",
            ),
        )
    return "mounted"


def network() -> str:
    """Make a network namespace."""
    syscalls.unshare(syscalls.CLONE_NEWNET)
    return "made"
