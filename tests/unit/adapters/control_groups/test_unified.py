"""Settings of control groups, version 2, in directories that look like its own."""

from pathlib import Path

import pytest

from img.adapters.control_groups import unified
from img.adapters.control_groups.parent_group import LimitsUnavailable, Setting
from img.adapters.linux.hierarchies import Hierarchy
from img.domain.resources import Resources

ALL = "cpuset cpu io memory pids"


def group(path: Path, *, controllers: str = ALL, through: str = "") -> Path:
    """Make the files of a group that count here."""
    path.mkdir(parents=True, exist_ok=True)
    (path / "cgroup.controllers").write_text(f"{controllers}\n")
    (path / "cgroup.subtree_control").write_text(f"{through}\n")
    (path / "cgroup.procs").write_text("")
    return path


def seen_from(own: Path, top: Path) -> Hierarchy:
    return Hierarchy(unified=True, controllers=frozenset(), top=str(top), own=str(own))


def test_a_users_groups_are_made_below_the_one_that_was_delegated(tmp_path: Path) -> None:
    own = group(tmp_path / "user.slice")

    parent = unified.parent_group(
        seen_from(own, tmp_path), "memory", Resources(memory=64 << 20), root=False
    )

    assert parent.directory == str(own)
    assert (own / "cgroup.subtree_control").read_text() == "+memory"
    assert parent.counter == "memory.events"
    assert parent.settings == (
        Setting("memory.max", str(64 << 20)),
        Setting("memory.swap.max", str(64 << 20), optional=True),
    )


def test_roots_groups_are_made_at_the_top(tmp_path: Path) -> None:
    top = group(tmp_path, through=ALL)
    own = group(tmp_path / "session.scope")

    parent = unified.parent_group(seen_from(own, top), "cpu", Resources(cpu_shares=1024), root=True)

    assert parent.directory == str(top)


def test_who_was_moved_by_a_build_before_finds_the_place_again(tmp_path: Path) -> None:
    scope = group(tmp_path / "scope", through="memory")
    own = group(scope / unified.OURSELVES)

    parent = unified.parent_group(
        seen_from(own, tmp_path), "memory", Resources(memory=1 << 30), root=False
    )

    assert parent.directory == str(scope)


def test_a_parent_that_is_named_is_made_with_all_above_it_letting_through(tmp_path: Path) -> None:
    top = group(tmp_path)
    own = group(tmp_path / "scope")
    group(tmp_path / "builds")
    limits = Resources(cgroup_parent="/builds", memory=1 << 30)

    parent = unified.parent_group(seen_from(own, top), "memory", limits, root=True)

    assert parent.directory == f"{top}/builds"


@pytest.mark.parametrize(
    ("limits", "controller", "settings"),
    [
        (
            Resources(memory=100 << 20, memory_swap=150 << 20),
            "memory",
            {"memory.max": str(100 << 20), "memory.swap.max": str(50 << 20)},
        ),
        (
            Resources(memory=100 << 20, memory_swap=-1),
            "memory",
            {"memory.max": str(100 << 20), "memory.swap.max": "max"},
        ),
        (Resources(cpu_shares=2), "cpu", {"cpu.weight": "1"}),
        (Resources(cpu_shares=262_144), "cpu", {"cpu.weight": "10000"}),
        (Resources(cpu_quota=50_000), "cpu", {"cpu.max": "50000 100000"}),
        (Resources(cpu_period=20_000), "cpu", {"cpu.max": "max 20000"}),
        (
            Resources(cpuset_cpus="0-3", cpuset_mems="0"),
            "cpuset",
            {"cpuset.cpus": "0-3", "cpuset.mems": "0"},
        ),
    ],
)
def test_limits_are_written_as_version_2_spells_them(
    tmp_path: Path, limits: Resources, controller: str, settings: dict[str, str]
) -> None:
    own = group(tmp_path, through=ALL)

    parent = unified.parent_group(seen_from(own, tmp_path), controller, limits, root=False)

    assert {setting.file: setting.value for setting in parent.settings} == settings


def test_a_controller_that_was_not_given_is_missed_with_what_helps(tmp_path: Path) -> None:
    own = group(tmp_path / "scope", controllers="pids")

    with pytest.raises(LimitsUnavailable) as caught:
        unified.parent_group(seen_from(own, tmp_path), "cpu", Resources(cpu_shares=5), root=False)

    assert caught.value.message == f"{own} was not given the controller cpu"
    assert "systemd-run --user --scope -p Delegate=yes" in (caught.value.hint or "")


def test_a_group_that_was_not_delegated_is_no_place(tmp_path: Path) -> None:
    own = tmp_path / "gone"

    with pytest.raises(LimitsUnavailable) as caught:
        unified.parent_group(
            seen_from(own, tmp_path), "memory", Resources(memory=1 << 30), root=False
        )

    assert caught.value.message == f"{own} may not be written"
