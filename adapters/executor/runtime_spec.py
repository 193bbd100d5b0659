"""The configuration of a container runtime for a process (runtime-spec config.md).

The runtime gets a root with all mounts, made by the same code as for the other executors; it only
adds what belongs to the pid namespace that it creates.
"""

import resource
from collections.abc import Mapping

from img.adapters.executor.runtime_seccomp import seccomp_section
from img.adapters.executor.system_mounts import MASKED, READ_ONLY
from img.adapters.linux import capabilities
from img.domain.filesystem.ownership import UserIdentity
from img.domain.process import Process, Ulimit

_Json = Mapping[str, object]


def configuration(process: Process, user: UserIdentity, root: str, allowed: int) -> _Json:
    """Return the ``config.json`` for ``process``, as ``user``, in ``root``.

    ``allowed`` are the capabilities of root in it, as a bit mask.
    """
    confined = not process.insecure
    return {
        "ociVersion": "1.0.2",
        "root": {"path": root, "readonly": False},
        "process": {
            **_terminal(process),
            "user": {
                "uid": user.uid,
                "gid": user.gid,
                "additionalGids": list(user.groups),
                "umask": 0o022,
            },
            "args": list(process.argv),
            "env": _environment(process, user),
            "cwd": process.cwd,
            "capabilities": _capabilities(user, allowed),
            "rlimits": [_rlimit(limit) for limit in process.ulimits],
            "noNewPrivileges": False,
        },
        "mounts": [
            {
                "destination": "/proc",
                "type": "proc",
                "source": "proc",
                "options": ["nosuid", "nodev", "noexec"],
            },
            # So that the runtime creates no devices: the existing ones are bind mounts, on a file
            # system where devices that a step creates cannot be opened.
            {
                "destination": "/dev",
                "type": "bind",
                "source": f"{root}/dev",
                "options": ["rbind", "nosuid", "nodev"],
            },
        ],
        "linux": {
            "namespaces": [{"type": "pid"}, {"type": "mount"}],
            "maskedPaths": list(MASKED) if confined else [],
            "readonlyPaths": list(READ_ONLY) if confined else [],
            "resources": {},
            **({"seccomp": seccomp_section(process, allowed)} if confined else {}),
        },
    }


def _terminal(process: Process) -> _Json:
    if process.terminal is None:
        return {"terminal": False}
    size = {"height": process.terminal.rows, "width": process.terminal.columns}
    return {"terminal": True, "consoleSize": size}


def _environment(process: Process, user: UserIdentity) -> list[str]:
    env = process.environment(user.home)
    return [f"{name}={value}" for name, value in env.items()]


def _capabilities(user: UserIdentity, allowed: int) -> _Json:
    names = [f"CAP_{name.upper()}" for name in capabilities.names_in(allowed)]
    own = [] if user.uid else names
    return {"bounding": names, "permitted": own, "effective": own}


def _rlimit(limit: Ulimit) -> _Json:
    """Return the limit as this process got it, adjusted by img's own rules."""
    kind = f"RLIMIT_{limit.name.upper()}"
    soft, hard = resource.getrlimit(getattr(resource, kind))
    return {"type": kind, "soft": soft % (1 << 64), "hard": hard % (1 << 64)}
