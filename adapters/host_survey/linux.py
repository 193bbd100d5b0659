"""A survey of a Linux machine by probes, which run in child processes, in parallel."""

import errno
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from img.adapters.host_survey import confinement, inside, outside
from img.adapters.linux import records, userns
from img.adapters.storage.own_files import make_directories
from img.application.ports.host_survey import Finding, HostSurvey
from img.domain.errors import HostError

Probe = Callable[[], str]
"""Returns a description of the finding. Raises OSError, HostError if the feature does not work."""


class LinuxSurvey(HostSurvey):
    """Forks for each probe that changes its process (namespaces, filters)."""

    def look(self, state: Path) -> Mapping[str, Finding]:
        directory = os.path.abspath(state)
        make_directories(directory)
        user = userns.real_user()
        groups = [
            lambda: _inside(user, directory),
            *(_alone(name, probe) for name, probe in confinement.PROBES.items()),
        ]
        pipes = [_start(group) for group in groups]
        alike = {name: _tried(probe) for name, probe in outside.probes(directory, user).items()}
        found: dict[str, Finding] = {}
        for pipe, pid in pipes:
            found |= _finish(pipe, pid)
        return found | alike


def _alone(name: str, probe: Probe) -> Callable[[], dict[str, Finding]]:
    return lambda: {name: _tried(probe)}


def _inside(user: userns.RealUser, directory: str) -> dict[str, Finding]:
    """Enter the namespaces of a build, and run the probes that need them."""
    try:
        entered = userns.enter(user)
    except HostError as error:
        refused = Finding(works=False, detail=error.message, remedy=_remedy(error))
        untried = Finding(works=False, detail="not tried: it takes namespaces")
        return {"namespaces": refused} | dict.fromkeys(("id ranges", *inside.NAMES), untried)
    found = {"namespaces": Finding(works=True, detail=f"as {entered.id_map.value} ids")}
    if entered.obstacle is None:
        found["id ranges"] = Finding(works=True, detail=inside.id_ranges())
    else:
        obstacle = entered.obstacle
        found["id ranges"] = Finding(
            works=False, detail=obstacle.message, remedy=obstacle.hint or ""
        )
    started = [
        _start(_alone(name, probe))
        for name, probe in inside.probes(directory, entered.id_map).items()
    ]
    for pipe, pid in started:
        found |= _finish(pipe, pid)
    return found


def _remedy(error: HostError) -> str:
    return outside.apparmor_remedy() or error.hint or ""


def _start(group: Callable[[], dict[str, Finding]]) -> tuple[int, int]:
    ours, its = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(ours)
            with open(its, "wb") as pipe:
                pipe.write(records.encode(group()))
        finally:
            os._exit(0)
    os.close(its)
    return ours, pid


def _finish(pipe: int, pid: int) -> dict[str, Finding]:
    try:
        with open(pipe, "rb") as answer:
            found: dict[str, Finding] = records.decode(answer.read(), Mapping[str, Finding])
            return found
    except records.BadRecord:  # the probe killed the process
        return {}
    finally:
        os.waitpid(pid, 0)


def _tried(probe: Probe) -> Finding:
    try:
        return Finding(works=True, detail=probe())
    except HostError as error:
        return Finding(works=False, detail=error.message, remedy=error.hint or "")
    except OSError as error:
        name = errno.errorcode.get(error.errno or 0, "")
        return Finding(works=False, detail=f"{error.strerror} ({name})")
