"""Contract tests of control groups."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from img.adapters.control_groups.linux import LinuxControlGroups
from img.adapters.control_groups.memory import MemoryControlGroups
from img.application.ports.control_groups import ControlGroups, LimitRefused
from img.domain.resources import Resources
from img.testing.control_groups import ControlGroupsContract
from tests.support.steps.delegation import a_group, hierarchy_of, sleeper_in

_LIMITS = Resources(memory=64 << 20, cpu_shares=512)
_BUSY = "import sys; x = bytearray(200 << 20); x[::4096] = bytes(len(x[::4096]))"


@pytest.fixture(params=["memory", pytest.param("linux", marks=pytest.mark.userns)])
def groups(request: pytest.FixtureRequest) -> ControlGroups:
    if request.param == "memory":
        return MemoryControlGroups()
    for controller in ("memory", "cpu"):
        hierarchy_of(controller)
    return LinuxControlGroups(_LIMITS)


def inside(directories: tuple[str, ...], *command: str) -> int:
    """Return the exit code of ``command``, run in a group."""
    enter = "".join(f"echo 0 > {directory}/cgroup.procs && " for directory in directories)
    return subprocess.run(
        ["/bin/sh", "-c", f'{enter} "$@"', "sh", *command], check=False
    ).returncode


@pytest.fixture
def limited() -> Callable[[Resources], LinuxControlGroups]:
    hierarchy_of("memory")
    return LinuxControlGroups


@pytest.mark.userns
def test_the_kernel_kills_what_uses_more_memory_and_says_so(
    limited: Callable[[Resources], LinuxControlGroups],
) -> None:
    with limited(Resources(memory=32 << 20, memory_swap=32 << 20)).group() as group:
        assert inside(group.directories, "/usr/bin/python3", "-c", _BUSY) != 0
        assert group.ran_out_of_memory()


@pytest.mark.userns
def test_processors_are_those_that_were_given(
    limited: Callable[[Resources], LinuxControlGroups],
) -> None:
    hierarchy_of("cpuset")
    with limited(Resources(cpuset_cpus="0")).group() as group:
        allowed = "grep -q '^Cpus_allowed_list:\t0$' /proc/self/status"
        assert inside(group.directories, "/bin/sh", "-c", allowed) == 0


@pytest.mark.userns
def test_a_limit_that_the_machine_cannot_have_is_refused_and_leaves_nothing(
    limited: Callable[[Resources], LinuxControlGroups],
) -> None:
    top = Path(hierarchy_of("cpuset").top)
    groups = limited(Resources(cpuset_cpus="9999"))

    with pytest.raises(LimitRefused, match=r"cpuset\.cpus = 9999"), groups.group():
        pass

    assert not list(top.rglob(f"img-{os.getpid()}-*"))


@pytest.fixture
def parent() -> Iterator[Path]:
    with a_group(hierarchy_of("memory"), "memory") as directory:
        yield directory


@pytest.fixture
def in_parent(parent: Path) -> Resources:
    return Resources(memory=64 << 20, cgroup_parent=f"/{parent.name}")


class TestControlGroups(ControlGroupsContract):
    pass


@pytest.mark.userns
def test_leftovers_of_killed_builds_are_removed_by_who_comes_next(
    parent: Path, in_parent: Resources
) -> None:
    (parent / "img-1-1").mkdir()

    LinuxControlGroups(in_parent).shortcomings()

    assert not (parent / "img-1-1").exists()


@pytest.mark.userns
def test_groups_in_use_are_no_leftovers(parent: Path, in_parent: Resources) -> None:
    (parent / "img-1-1").mkdir()
    process = sleeper_in(parent / "img-1-1")
    try:
        with LinuxControlGroups(in_parent).group() as group:
            assert [Path(directory).parent for directory in group.directories] == [parent]
            LinuxControlGroups(in_parent).shortcomings()  # another build, which finds both
            assert all(Path(directory).is_dir() for directory in group.directories)
        assert (parent / "img-1-1").exists()
    finally:
        process.kill()
        process.communicate()
