"""Control groups as this machine has them, version 2 with whichever controllers."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from img.adapters.control_groups import unified
from img.adapters.linux.hierarchies import Hierarchy, hierarchies_of
from img.domain.resources import Resources
from tests.support.host.machine import lacking, need_root
from tests.support.host.waiting import wait_until
from tests.support.steps.delegation import a_group, hierarchy_of, sleeper_in
from tests.support.steps.executors import ISOLATED, executor_named
from tests.support.steps.step_roots import Steps, in_env, step_root

pytestmark = pytest.mark.userns


@pytest.fixture
def hierarchy() -> Hierarchy:
    need_root()
    found = [each for each in hierarchies_of("/proc/self") if each.unified and each.controllers]
    return found[0] if found else lacking("no unified hierarchy with a controller")


@pytest.fixture
def controller(hierarchy: Hierarchy) -> str:
    return min(hierarchy.controllers)


@pytest.fixture
def scope(hierarchy: Hierarchy, controller: str) -> Iterator[Path]:
    with a_group(hierarchy, controller) as directory:
        yield directory


def test_a_delegated_group_with_processes_in_it_moves_them_to_have_children(
    hierarchy: Hierarchy, controller: str, scope: Path
) -> None:
    process = sleeper_in(scope)
    try:
        own = replace(hierarchy, own=str(scope))
        parent = unified.parent_group(own, controller, Resources(), root=False)

        step = Path(parent.directory, "img-0-1")
        step.mkdir()
        assert controller in (step / "cgroup.controllers").read_text().split()
        assert (scope / "cgroup.procs").read_text() == ""
        assert (scope / unified.OURSELVES / "cgroup.procs").read_text() == f"{process.pid}\n"

        (step / "cgroup.procs").write_text(str(process.pid))  # as the first process of a step
        again = replace(hierarchy, own=str(scope / unified.OURSELVES))  # a build after this one
        assert unified.parent_group(again, controller, Resources(), root=False) == parent
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("name", ISOLATED)
def test_a_group_that_a_killed_build_cannot_remove_goes_with_the_fork_server(name: str) -> None:
    hierarchy = hierarchy_of("memory")
    executor = executor_named(name)
    with step_root("directory") as root, a_group(hierarchy, "memory") as parent:
        group = parent / "step"
        group.mkdir()
        steps = Steps(executor, root)
        steps.sh("true", in_env(control_groups=(str(group),)))

        executor.close()

        wait_until(lambda: not group.exists(), "the group goes")
