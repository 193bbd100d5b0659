"""Entry into the namespaces of builds, before the process has threads or large imports.

The real user is looked up first. The helper process outside, and the fork server, which has to be
small, are forked on the way.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from img.adapters.linux.id_map import IdMap
from img.adapters.syscall_supervisor.root.level import Emulation
from img.domain.dataclass import dataclass
from img.domain.errors import HostError, UsageError
from img.entrypoints.lazy import lazy_imports

with lazy_imports(__name__):
    from img.adapters.linux.outsider import Outsider, run_here
    from img.adapters.linux.userns import enter, is_privileged, real_user
    from img.adapters.storage.left_secrets import sweep

if TYPE_CHECKING:
    from img.adapters.executor.fork_server import ForkServer
    from img.adapters.executor.fork_server_executor import ForkServerExecutor, Launcher
    from img.adapters.linux.outsider import HelperRunner
    from img.adapters.linux.userns import RealUser
    from img.adapters.storage.ownership import Ownership

_EXACT = Emulation.FULL
_MOUNTED = ("overlay", "fuse")  # snapshotters


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildHost:
    """The namespaces of this process: inside those of builds, or outside with the reason why.

    Outside, everything except RUN works: the executor raises ``obstacle`` when a step has to run.
    """

    id_map: IdMap | None  # None: outside
    id_obstacle: HostError | None = None  # why only one id is mapped, if so
    obstacle: HostError | None = None
    run_helper: HelperRunner = run_here  # credential helpers, as the user
    fork_server: ForkServer | None = None
    executor_name: str = "unshare"
    user_id: int = field(default_factory=os.geteuid)  # outside
    without_proc: OSError | None = None  # why steps have no /proc, if so

    def executor(self, emulate: str = "full") -> ForkServerExecutor:
        """Return the executor of steps; closing it ends the fork server. Raises UsageError.

        ``emulate`` is the level of emulation of root where one id is mapped.
        """
        from img.adapters.executor.fork_server_executor import ForkServerExecutor

        obstacle = self.obstacle
        if self.executor_name in ("runc", "crun"):
            obstacle = obstacle or self._too_few_ids()
        elif self.executor_name in ("chroot", "proot"):
            obstacle = None
        launcher = self._launcher(self._emulation(emulate))
        return ForkServerExecutor(launcher, self.fork_server, obstacle=obstacle)

    def close(self) -> None:
        """End the fork server, and all steps with it. Idempotent."""
        if self.fork_server is not None:
            self.fork_server.close()

    def _launcher(self, emulation: Emulation | None) -> Launcher:
        match self.executor_name:
            case "runc" | "crun":
                from img.adapters.executor.runc import RuntimeLauncher

                return RuntimeLauncher(self.executor_name)
            case "chroot":
                from img.adapters.executor.chroot import ChrootLauncher

                return ChrootLauncher()
            case "proot":
                from img.adapters.executor.proot import ProotLauncher

                return ProotLauncher(emulation)
            case _:
                from img.adapters.executor.unshare import UnshareLauncher

                return UnshareLauncher(emulation)

    def ownership(self) -> Ownership:
        """Return the way in which files of the state have owners: real or recorded."""
        from img.adapters.storage.ownership import REAL, RecordedOwnership

        recorded = self.id_map is IdMap.SINGLE or self.executor_name == "proot"
        return RecordedOwnership() if recorded else REAL

    @property
    def ids(self) -> str:
        """The kind of ids that own files of snapshots and caches; other kinds cannot use them."""
        if self.id_map is None:
            return IdMap.SAME.value if self.executor_name == "chroot" else "none"
        return self.id_map.value

    @property
    def other_ids(self) -> Sequence[str]:
        """The other kinds of ids with files that this process can remove."""
        users = (IdMap.SINGLE.value, "none")
        mapped = self.id_map in (IdMap.SAME, IdMap.SUBORDINATE)
        kinds = (*users, IdMap.SAME.value, IdMap.SUBORDINATE.value) if mapped else users
        return [kind for kind in kinds if kind != self.ids]

    def snapshotter(self, asked: str) -> str:
        """Return the snapshotter for ``asked`` that suits the executor. Raises UsageError."""
        if asked == "fuse" and self.id_map is IdMap.SINGLE:
            raise UsageError(
                "fuse-overlayfs loses owners that are on record, as they are where there is one id",
                hint="use --backend auto",
            )
        if self.executor_name not in ("chroot", "proot") or asked not in (*_MOUNTED, "auto"):
            return asked
        if asked == "auto":
            return "naive"
        raise UsageError(
            f"the executor {self.executor_name} mounts nothing, and {asked} has to be",
            hint="use --backend naive",
        )

    def executor_and_reason(self, emulate: str) -> tuple[str, str]:
        """Return the executor's name ("" for none), and why no faster executor is used, if so."""
        if self.fork_server is None and self.obstacle is not None:
            return "", self.obstacle.message
        if self.executor_name != "unshare" or self.id_obstacle is None:
            reasons = [self.obstacle.message] if self.obstacle else []
            if self.without_proc:
                reasons.append(f"no /proc, for no filter can ask: {self.without_proc.strerror}")
            return self.executor_name, "; ".join(reasons)
        how = "not emulated" if emulate == Emulation.OFF.value else f"emulated ({emulate})"
        return f"unshare with one id, the others {how}", self.id_obstacle.message

    def cache_namespace(self, emulate: str) -> str:
        """Return the cache namespace of inexact layers, "" if the executor's layers are exact."""
        return f"--emulate={emulate}" if self._emulation(emulate) not in (None, _EXACT) else ""

    def _too_few_ids(self) -> HostError | None:
        """Return the reason why a runtime cannot be used if one id is mapped.

        The runtime switches to the step's user, and changes owners of files, before it installs the
        filter by which img would answer these calls (runtime-spec config-linux.md, "listenerPath").
        """
        if self.id_obstacle is None:
            return None
        return HostError(
            f"the executor {self.executor_name} emulates no ids, and there is one: "
            f"{self.id_obstacle.message}",
            hint=f"use --executor unshare, which does; or: {self.id_obstacle.hint}",
        )

    def _emulation(self, emulate: str) -> Emulation | None:
        try:
            level = Emulation(emulate)
        except ValueError:
            levels = ", ".join(level.value for level in Emulation)
            raise UsageError(f"invalid --emulate {emulate!r}", hint=f"one of {levels}") from None
        single = self.id_map is IdMap.SINGLE or self.executor_name == "proot"
        return level if single else None


def enter_for_build(executor: str = "auto") -> BuildHost:
    """Enter the namespaces of a build, and choose the executor of its steps.

    "auto" is the first executor that works: unshare in namespaces, chroot as root with the
    capabilities for it, proot if it is installed. Raises no HostError: it is kept as ``obstacle``.
    """
    host = BuildHost(id_map=None) if executor == "proot" else _enter()
    name = executor
    if executor == "auto":
        name, host = _automatic(host)
    if name not in ("chroot", "proot") and host.id_map is None:
        return replace(host, executor_name=name)
    if name == "chroot":
        from img.adapters.syscall_supervisor import bpf

        host = replace(host, without_proc=bpf.obstacle_to_listening())
    if name in ("chroot", "proot"):
        from img.adapters.linux import syscalls

        # A step is in this pid namespace: it must not read img's memory and environment.
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
    from img.adapters.executor.fork_server import ForkServer  # most commands use no fork server

    emulating = host.id_map is IdMap.SINGLE and name not in ("chroot", "proot")
    return replace(host, executor_name=name, fork_server=ForkServer(emulating=emulating))


def _automatic(host: BuildHost) -> tuple[str, BuildHost]:
    """Return the first executor that works, and the host with the reason if none does."""
    if host.obstacle is None:
        return "unshare", host
    from img.adapters.executor.chroot import ChrootLauncher
    from img.adapters.executor.proot import ProotLauncher

    launchers: Mapping[str, Launcher] = {"chroot": ChrootLauncher(), "proot": ProotLauncher()}
    obstacle: HostError | None = None
    for name, launcher in launchers.items():
        try:
            launcher.require()
        except HostError as error:
            obstacle = error
        else:
            return name, host
    assert obstacle is not None
    return "unshare", replace(host, obstacle=_both(host.obstacle, obstacle))


def _both(of_namespaces: HostError, of_proot: HostError) -> HostError:
    """Return one obstacle; proot needs no change of the machine, so its remedy is the first."""
    from img.adapters.executor.find_on_host import ProgramMissing

    if isinstance(of_proot, ProgramMissing):
        return HostError(
            of_namespaces.message,
            hint=f"install proot, which needs no namespaces; or {of_namespaces.hint};"
            " see `img doctor`",
        )
    return HostError(
        f"{of_namespaces.message}; {of_proot.message}",
        hint=f"{of_proot.hint}; or {of_namespaces.hint}; see `img doctor`",
    )


def may_change_owners() -> bool:
    """Tell whether this process may give files to other users: root may lack the capability."""
    from img.adapters.linux import capabilities

    return os.geteuid() == 0 and bool(capabilities.effective() & capabilities.mask_of("chown"))


def is_foreign_state(state: Path) -> bool:
    """Check the state directory; return whether it is another user's, with images for all to read.

    ``$IMG_STATE_TRUSTED`` skips the check of its mode and its parents'. Raises StateNotSafe,
    StateError.
    """
    from img.adapters.storage.state_directory import StateAccess, open_state, trusts_everyone

    trusted = trusts_everyone(os.environ)
    return open_state(str(state), trusted=trusted) is StateAccess.FOREIGN


def sweep_secrets() -> None:
    """Remove secrets that killed builds of this user left; call it before entering namespaces."""
    sweep()


def enter_for_state() -> BuildHost:
    """Enter to read or remove files of the state, which may belong to subordinate ids."""
    return _enter()


def enter_for_command() -> None:
    """Enter before ``img unshare`` executes another program. Raises HostError."""
    user = real_user()
    _keep_home(user)
    enter(user)


def _enter() -> BuildHost:
    user = real_user()
    _keep_home(user)
    if is_privileged(user):
        return _inside(user, run_here)
    outsider = Outsider()
    host = _inside(user, outsider.run)
    if host.id_map is None:
        outsider.close()
    else:  # the first process of a container may never wait for it
        atexit.register(outsider.close)
    return host


def _inside(user: RealUser, run_helper: HelperRunner) -> BuildHost:
    try:
        entered = enter(user)
        return BuildHost(
            id_map=entered.id_map,
            id_obstacle=entered.obstacle,
            run_helper=run_helper,
            user_id=user.uid,
        )
    except HostError as error:
        return BuildHost(id_map=None, obstacle=error)


def _keep_home(user: RealUser) -> None:
    # Without $HOME, "~" is looked up by uid, and inside uid 0 is root.
    if "HOME" not in os.environ and user.home:
        os.environ["HOME"] = user.home
