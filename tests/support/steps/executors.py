"""Executors for tests, by name; those that cannot run here skip the test with the reason."""

import shutil
from pathlib import Path

import pytest

from img.adapters.executor.chroot import ChrootLauncher
from img.adapters.executor.fork_server_executor import ForkServerExecutor, Launcher
from img.adapters.executor.proot import ProotLauncher
from img.adapters.executor.runc import RuntimeLauncher
from img.adapters.executor.unshare import UnshareLauncher
from img.adapters.syscall_supervisor.root.level import Emulation
from img.application.ports.executor import Executor
from tests.support.steps.small_servers import SmallForkServer
from tests.support.steps.step_roots import BUSYBOX, skip_unless_steps_can_run

ISOLATED = ("unshare", "crun", "runc")  # the same world: these keep every promise
PROOT = pytest.param("proot", marks=pytest.mark.plain_user)
ALL = (*ISOLATED, "chroot", PROOT)  # for parametrization


def executor_named(name: str, *, patched: bool = False) -> Executor:
    """Return the executor, to be closed by the caller.

    ``patched``: its processes have what the test has patched in this one.
    """
    launcher = _launcher_named(name)
    return ForkServerExecutor(launcher, None if patched else SmallForkServer())


def _launcher_named(name: str) -> Launcher:
    match name:
        case "unshare":
            skip_unless_steps_can_run()
            return UnshareLauncher(_emulation_here())
        case "runc" | "crun":
            skip_unless_steps_can_run()
            _skip_unless_installed(name)
            if _emulation_here() is not None:
                pytest.skip("a runtime emulates nobody, and there is one id")
            return RuntimeLauncher(name)
        case "chroot":
            skip_unless_steps_can_run()
            if _emulation_here() is not None:
                pytest.skip("a changed root needs more than one id")
            return ChrootLauncher()
        case _:
            return _proot()


def _emulation_here() -> Emulation | None:
    # test_one_id.py runs the tests where there is one id.
    extents = Path("/proc/self/uid_map").read_text(encoding="ascii").splitlines()
    alone = [extent.split()[2] for extent in extents] == ["1"]
    return Emulation.FULL if alone else None


def _proot() -> Launcher:
    _skip_unless_installed("proot")
    if BUSYBOX is None:
        pytest.skip("no busybox (install busybox-static)")
    return ProotLauncher(Emulation.FULL)


def _skip_unless_installed(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"no {program}")
