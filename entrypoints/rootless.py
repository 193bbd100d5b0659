"""Puts the process where a user may build, before it has threads or imports much.

What depends on who the user really is has to be settled first; what has to stay small, or
outside, is forked on the way.
"""

import os
from dataclasses import dataclass

from img.adapters.executor.fork_server import ForkServer
from img.adapters.executor.unshare import UnshareExecutor
from img.adapters.linux import userns
from img.adapters.linux.outsider import HelperRunner, Outsider, run_here
from img.adapters.linux.userns import IdMap, RealUser
from img.domain.errors import HostError


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildHost:
    """How this process stands: inside, or outside with the reason why.

    Outside, all but RUN works: ``obstacle`` is raised by the executor when something has to run.
    """

    id_map: IdMap | None  # None: outside
    obstacle: HostError | None = None
    run_helper: HelperRunner = run_here  # credential helpers, as the user
    fork_server: ForkServer | None = None

    def executor(self) -> UnshareExecutor:
        """Return the executor of steps; it closes the fork server."""
        return UnshareExecutor(self.fork_server, obstacle=self.obstacle)


def enter_for_build() -> BuildHost:
    """Enter the namespaces of a build. Never raises a HostError: the result keeps it."""
    host = _enter()
    if host.id_map is None:
        return host
    return BuildHost(id_map=host.id_map, run_helper=host.run_helper, fork_server=ForkServer())


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
        return BuildHost(id_map=userns.enter(user), run_helper=run_helper)
    except HostError as error:
        return BuildHost(id_map=None, obstacle=error)


def _keep_home(user: RealUser) -> None:
    # Without $HOME, "~" is looked up by uid, and inside that is root's.
    if "HOME" not in os.environ and user.home:
        os.environ["HOME"] = user.home
