"""Steps under PRoot: as a plain user, outside of any namespace."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from img.application.ports.executor import ExecutorUnavailable
from img.domain.process import BindMount, FileMount, TmpfsMount
from tests.executors import executor_named
from tests.host import need_root
from tests.step_roots import StepRoot, Steps, in_env, lasting, step_root


@pytest.fixture
def root() -> Iterator[StepRoot]:
    with step_root("directory") as root:
        yield root


@pytest.fixture
def steps(root: StepRoot) -> Iterator[Steps]:
    executor = executor_named("proot")
    yield Steps(executor, root)
    executor.close()


def test_root_is_refused(root: StepRoot) -> None:
    need_root()
    from img.adapters.executor.proot import ProotExecutor

    executor = ProotExecutor()
    with pytest.raises(ExecutorUnavailable, match="is for users"):
        Steps(executor, root).run(["/bin/true"])
    executor.close()


@pytest.mark.plain_user
def test_calls_that_proot_does_not_know_do_not_show_the_host(steps: Steps) -> None:
    # coreutils' stat asks by statx, dash's test by faccessat2.
    host = in_env(
        mounts=tuple(
            BindMount(source=path, target=path)
            for path in ("/usr", "/lib", "/lib64")
            if Path(path).exists()
        )
    )
    steps.root.write("etc/only-in-the-image", "")

    assert steps.run(["/usr/bin/stat", "/etc/only-in-the-image"], process=host).success
    assert not steps.run(["/usr/bin/stat", "/etc/passwd"], process=host).success
    if Path("/usr/bin/dash").exists():
        script = "test -r /etc/only-in-the-image && ! test -r /etc/passwd"
        assert steps.run(["/usr/bin/dash", "-c", script], process=host).success


@pytest.mark.plain_user
def test_mounts_are_shown_and_leave_no_trace(steps: Steps, tmp_path: Path) -> None:
    (tmp_path / "a:b").mkdir()
    (tmp_path / "a:b/file").write_text("hello")
    steps.root.link("up", "../../../../away")
    process = in_env(
        mounts=(
            BindMount(source=str(tmp_path / "a:b"), target="/in/side", read_only=False),
            FileMount(target="/run/secrets/key", content=b"s3cret"),
            FileMount(target="/dev/pipes/x", content=b"script"),
            FileMount(target="/up/y", content=b"linked"),
            TmpfsMount(target="/scratch"),
        )
    )

    seen = steps.sh(
        "cat /in/side/file /run/secrets/key /dev/pipes/x /away/y; echo x >/scratch/x; echo y "
        ">/in/side/new; echo z >/dev/null; ls /scratch",
        process,
    )

    assert seen == "hellos3cretscriptlinkedx\n"
    assert (tmp_path / "a:b/new").exists()
    assert sorted(os.listdir(steps.root.changed)) == ["bin", "up"]


@pytest.mark.plain_user
def test_daemons_end_with_the_command(steps: Steps) -> None:
    tag = lasting()
    steps.sh(f"busybox setsid {tag} </dev/null >/dev/null 2>&1 & echo started")

    assert tag.replace(" ", "\0") not in _command_lines()


@pytest.mark.plain_user
def test_the_user_of_the_image_is_pretended(steps: Steps) -> None:
    steps.root.write("etc/passwd", "app:x:1000:1001::/home/app:/bin/sh\n")

    assert steps.sh("id -u; id -g; echo $HOME", in_env(user="app")).split() == [
        "1000",
        "1001",
        "/home/app",
    ]
    assert steps.sh("id -u; busybox chown 5:6 /bin/sh") == "0\n"


def _command_lines() -> str:
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            found.append(Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace"))
        except OSError:
            continue
    return "\n".join(found)
