"""Puts the process where a user may build, before it has threads or imports much.

What depends on who the user really is has to be settled first; what has to stay small, or
outside, is forked on the way.
"""

import os
from dataclasses import replace

from img.adapters.executor.fork_server import ForkServer
from img.adapters.executor.unshare import UnshareExecutor
from img.adapters.linux import userns
from img.adapters.linux.emulation.level import Emulation
from img.adapters.linux.outsider import HelperRunner, Outsider, run_here
from img.adapters.linux.ownership import REAL, Ownership, RecordedOwnership
from img.adapters.linux.userns import IdMap, RealUser
from img.domain.dataclass import dataclass
from img.domain.errors import HostError, UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildHost:
    """How this process stands: inside, or outside with the reason why.

    Outside, all but RUN works: ``obstacle`` is raised by the executor when something has to run.
    """

    id_map: IdMap | None  # None: outside
    id_obstacle: HostError | None = None  # why there is one id alone, where there is
    obstacle: HostError | None = None
    run_helper: HelperRunner = run_here  # credential helpers, as the user
    fork_server: ForkServer | None = None

    def executor(self, emulate: str = "full") -> UnshareExecutor:
        """Return the executor of steps; it closes the fork server. Raises UsageError.

        ``emulate`` says how much of root is emulated where there is one id.
        """
        return UnshareExecutor(
            self.fork_server, obstacle=self.obstacle, emulation=self._emulation(emulate)
        )

    def ownership(self) -> Ownership:
        """Return how files of the state have owners."""
        return RecordedOwnership() if self.id_map is IdMap.SINGLE else REAL

    def _emulation(self, emulate: str) -> Emulation | None:
        try:
            level = Emulation(emulate)
        except ValueError:
            levels = ", ".join(level.value for level in Emulation)
            raise UsageError(f"invalid --emulate {emulate!r}", hint=f"one of {levels}") from None
        return level if self.id_map is IdMap.SINGLE else None


def enter_for_build() -> BuildHost:
    """Enter the namespaces of a build. Never raises a HostError: the result keeps it."""
    host = _enter()
    if host.id_map is None:
        return host
    emulating = host.id_map is IdMap.SINGLE
    return replace(host, fork_server=ForkServer(emulating=emulating))


def enter_for_state() -> BuildHost:
    """Enter to read or remove what builds have left in the state: it may belong to other ids."""
    return _enter()


def _enter() -> BuildHost:
    user = userns.real_user()
    _keep_home(user)
    if userns.is_privileged(user):
        return _inside(user, run_here)
    outsider = Outsider()
    host = _inside(user, outsider.run)
    if host.id_map is None:
        outsider.close()
    return host


def _inside(user: RealUser, run_helper: HelperRunner) -> BuildHost:
    try:
        entered = userns.enter(user)
        return BuildHost(id_map=entered.id_map, id_obstacle=entered.obstacle, run_helper=run_helper)
    except HostError as error:
        return BuildHost(id_map=None, obstacle=error)


def _keep_home(user: RealUser) -> None:
    # Without $HOME, "~" is looked up by uid, and inside that is root's.
    if "HOME" not in os.environ and user.home:
        os.environ["HOME"] = user.home
