"""The control groups of a process in each hierarchy, from files like those of /proc."""

from pathlib import Path

from img.adapters.linux.hierarchies import Hierarchy, hierarchies_of


def process(place: Path, groups: str, mounts: str) -> str:
    """Return a directory that looks like one of /proc."""
    (place / "cgroup").write_text(groups)
    (place / "mountinfo").write_text(mounts)
    return str(place)


def test_the_unified_hierarchy_of_a_user_session(tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    (top / "cgroup.controllers").write_text("cpu memory pids\n")
    groups = "0::/user.slice/user-1000.slice/run-1.scope\n"
    mounts = f"35 24 0:30 / {top} rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"

    found = hierarchies_of(process(tmp_path, groups, mounts))

    assert found == (
        Hierarchy(
            unified=True,
            controllers=frozenset({"cpu", "memory", "pids"}),
            top=str(top),
            own=f"{top}/user.slice/user-1000.slice/run-1.scope",
        ),
    )


def test_hierarchies_of_version_1_have_their_own_controllers_and_groups(tmp_path: Path) -> None:
    groups = "4:memory:/build\n2:cpu,cpuacct:/\n1:name=systemd:/x\n"
    mounts = (
        "1 0 0:1 / /proc rw - proc proc rw\n"
        "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
        "35 31 0:32 / /sys/fs/cgroup/me\\040mory rw - cgroup cgroup rw,memory\n"
    )

    processors, memory = hierarchies_of(process(tmp_path, groups, mounts))

    assert processors.controllers == {"cpu", "cpuacct"}
    assert processors.own == "/sys/fs/cgroup/cpu,cpuacct"
    assert memory.own == "/sys/fs/cgroup/me mory/build"
    assert not memory.unified


def test_a_container_sees_its_own_group_as_the_top(tmp_path: Path) -> None:
    groups = "4:memory:/docker/abc\n2:cpu:/elsewhere\n"
    mounts = (
        "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
        "36 31 0:33 /docker/abc /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n"
    )

    found = hierarchies_of(process(tmp_path, groups, mounts))

    assert [each.own for each in found] == ["/sys/fs/cgroup/memory", "/sys/fs/cgroup/cpu"]


def test_without_proc_there_are_none(tmp_path: Path) -> None:
    assert hierarchies_of(str(tmp_path / "nothing")) == ()
