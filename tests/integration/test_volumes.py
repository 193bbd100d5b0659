"""Volumes of the host in steps, by each executor."""

import os
from pathlib import Path

import pytest

from img.adapters.host_volumes.local import LocalVolumes
from img.application.ports.executor import ProcessNotStarted
from img.domain.options.volumes import VolumeSpec
from img.domain.process import Process
from tests.support.steps.executors import PROOT, executor_named
from tests.support.steps.step_roots import StepRoot, Steps, in_env, step_root

pytestmark = pytest.mark.userns


def with_volume(source: Path, target: str = "/data", *, read_only: bool) -> Process:
    """Return a process with a volume."""
    volume = LocalVolumes().find(VolumeSpec(str(source), target, read_only))
    return in_env(mounts=(volume,))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "file").write_text("text")
    (tmp_path / "beside").write_text("beside")
    return source


def files_in(root: StepRoot) -> set[str]:
    return {path for path in root.listing() if not path.startswith(("bin", "."))}


def test_a_step_writes_to_a_volume_and_reaches_nothing_else_through_it(
    steps: Steps, source: Path
) -> None:
    before = files_in(steps.root)
    (source / "up").symlink_to("../beside")
    (source / "absolute").symlink_to(source.parent / "beside")

    shown = steps.sh(
        "cat /data/file; echo new >/data/sub/new; cat /data/up /data/absolute || echo refused",
        with_volume(source, read_only=False),
    )

    assert shown == "textrefused\n"
    assert (source / "sub/new").read_text() == "new\n"
    assert files_in(steps.root) == before


def test_a_volume_that_is_to_be_read_only_cannot_be_changed(steps: Steps, source: Path) -> None:
    before = source.stat().st_ctime_ns, (source / "file").stat().st_ctime_ns
    changes = (
        *("echo x >/data/file", "echo x >/data/new", "rm /data/file", "chmod 777 /data/file"),
        *("touch /data/file", "mv /data/file /data/moved", "mount -o remount,rw /data"),
        "chown 1 /data/file",
    )
    process = with_volume(source, read_only=True)

    steps.sh("; ".join(f"if {each}; then exit 9; fi" for each in changes) + "; true", process)

    assert (source.stat().st_ctime_ns, (source / "file").stat().st_ctime_ns) == before


def test_a_single_file_is_a_volume_over_a_file_of_the_image(steps: Steps, source: Path) -> None:
    steps.root.write("etc/config", "of the image")

    process = with_volume(source / "file", "/etc/config", read_only=True)

    assert steps.sh("cat /etc/config", process) == "text"
    assert steps.sh("cat /etc/config") == "of the image"


@pytest.mark.parametrize("executor", ["unshare"], indirect=True)
def test_a_source_that_a_step_has_replaced_is_refused(steps: Steps, source: Path) -> None:
    inner = with_volume(source / "sub", read_only=True)
    (source / "sub").rename(source / "moved")

    (source / "sub").symlink_to("/etc")
    with pytest.raises(ProcessNotStarted, match=r"sub was replaced during the build"):
        steps.sh("true", inner)
    (source / "sub").unlink()
    (source / "sub").mkdir()
    with pytest.raises(ProcessNotStarted, match=r"sub was replaced during the build"):
        steps.sh("true", inner)


@pytest.mark.parametrize("executor", ["unshare"], indirect=True)
def test_a_target_of_another_kind_is_named(steps: Steps, source: Path) -> None:
    steps.root.write("etc/config", "of the image")

    with pytest.raises(ProcessNotStarted, match="mount /etc/config: Not a directory"):
        steps.sh("true", with_volume(source, "/etc/config", read_only=True))
    with pytest.raises(ProcessNotStarted, match="mount /etc: Is a directory"):
        steps.sh("true", with_volume(source / "file", "/etc", read_only=True))


@pytest.mark.parametrize("executor", ["unshare"], indirect=True)
def test_a_target_that_is_a_link_stays_in_the_root(steps: Steps, source: Path) -> None:
    steps.root.link("data", f"{source.parent}/beside-directory")

    steps.sh("echo x >/data/sub/x", with_volume(source, read_only=False))

    assert (source / "sub/x").exists()
    assert not os.path.lexists(source.parent / "beside-directory")


@pytest.mark.parametrize("name", ["chroot", PROOT])
def test_an_executor_that_cannot_keep_the_promise_refuses(name: str, source: Path) -> None:
    executor = executor_named(name)
    try:
        with step_root("directory") as root:
            steps = Steps(executor, root)
            with pytest.raises(ProcessNotStarted, match=r"cannot (mount volumes|keep /data read)"):
                steps.sh("true", with_volume(source, read_only=True))
            writing = with_volume(source, read_only=False)
            if name == "chroot":
                with pytest.raises(ProcessNotStarted, match="cannot mount volumes"):
                    steps.sh("true", writing)
            else:
                assert steps.sh("cat /data/file; echo new >/data/new", writing) == "text"
                assert (source / "new").read_text() == "new\n"
    finally:
        executor.close()
