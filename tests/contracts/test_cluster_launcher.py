"""Contract tests of launchers of clusters."""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from img.adapters.cluster_launcher.host_process import HostProcessLauncher
from img.adapters.cluster_launcher.memory import MemoryClusterLauncher
from img.adapters.linux.processes import children_of_all, descendants_of
from img.application.ports.cluster_launcher import (
    ClusterEndpoint,
    ClusterLauncher,
    ClusterNotStarted,
)
from img.domain.errors import UsageError
from img.domain.options.cluster_address import (
    BatchSystem,
    ClusterAddress,
    LocalWorkers,
    SchedulerAddress,
    SshHosts,
)
from img.domain.options.cluster_settings import ClusterSettings
from img.testing.cluster_launcher import ClusterLauncherContract, IsUp, started


def accepts(endpoint: ClusterEndpoint) -> bool:
    """Return whether there is a server at the address."""
    url = urlsplit(endpoint.address)
    with socket.socket() as client:
        return client.connect_ex((url.hostname, url.port)) == 0


@pytest.fixture(params=["memory", "host_process"])
def launcher(request: pytest.FixtureRequest) -> ClusterLauncher:
    return MemoryClusterLauncher() if request.param == "memory" else HostProcessLauncher()


@pytest.fixture
def is_up(launcher: ClusterLauncher) -> IsUp:
    if isinstance(launcher, MemoryClusterLauncher):
        return lambda endpoint: endpoint.address in launcher.running
    return accepts


@pytest.fixture
def address() -> ClusterAddress:
    return LocalWorkers(1)


@pytest.fixture
def settings(tmp_path: Path) -> ClusterSettings:
    return ClusterSettings(state=str(tmp_path), start_timeout_s=60)


class TestClusterLauncher(ClusterLauncherContract):
    pass


def executable(path: Path, content: str) -> Path:
    path.write_text(f"#!/bin/sh\n{content}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory that is first in PATH."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
    return directory


def left() -> list[int]:
    """Return the descendants of this process."""
    return list(descendants_of(os.getpid(), children_of_all()))


def test_workers_of_ssh_run_where_ssh_leads(
    tmp_path: Path, programs: Path, settings: ClusterSettings
) -> None:
    # In place of ssh, a program that notes its arguments and runs the command here.
    log = tmp_path / "ssh.log"
    executable(programs / "ssh", f'echo "$@" >>{log}\nfor last; do :; done\nexec sh -c "$last"')
    executable(programs / "img", f'exec {sys.executable} -m img "$@"')
    before = set(left())

    with started(HostProcessLauncher(), SshHosts(("me@a", "b")), settings) as endpoint:
        assert endpoint.address.startswith("tls://")

    assert set(left()) <= before
    lines = sorted(log.read_text().splitlines())
    assert [line.partition(" -- ")[2].split()[:3] for line in lines] == [
        ["b", "img", "worker"],
        ["me@a", "img", "worker"],
    ]
    assert all("BatchMode=yes" in line and "PRIVATE KEY" not in line for line in lines)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("false", "all workers ended, with the exit code 1$"),
        (
            "sh -c 'echo Trying; echo Error: no host b >&2; exit 3'",
            "all workers ended, with the exit code 3: no host b$",
        ),
        ("no-such-program", "no-such-program is not installed$"),
    ],
)
def test_a_worker_that_cannot_start_is_an_error(
    command: str, reason: str, settings: ClusterSettings
) -> None:
    failing = ClusterSettings(command=command, state=settings.state)

    with (
        pytest.raises(ClusterNotStarted, match=f"local:2: {reason}"),
        started(HostProcessLauncher(), LocalWorkers(2), failing),
    ):
        pass


def test_workers_that_do_not_start_in_time_are_an_error(
    programs: Path, settings: ClusterSettings
) -> None:
    slow = executable(programs / "slow", "exec cat >/dev/null")
    failing = ClusterSettings(command=str(slow), state=settings.state, start_timeout_s=0.5)
    before = set(left())

    with (
        pytest.raises(ClusterNotStarted, match=r"no worker has started within 0\.5 s"),
        started(HostProcessLauncher(), LocalWorkers(1), failing),
    ):
        pass

    assert set(left()) <= before


@pytest.fixture
def queue(tmp_path: Path, programs: Path) -> Iterator[Callable[[], str]]:
    """Have qsub, qdel and qselect of PBS, which run jobs here; return their log."""
    log, jobs = tmp_path / "pbs.log", tmp_path / "jobs"
    jobs.mkdir()
    executable(
        programs / "qsub",
        f'echo qsub >>{log}; cat "$1" >>{log}; cp "$1" {jobs}/7\n'
        f"setsid sh {jobs}/7 >{jobs}/out 2>&1 </dev/null &\necho $! >{jobs}/pid; echo 7.server",
    )
    executable(programs / "qdel", f"echo qdel $1 >>{log}; kill -- -$(cat {jobs}/pid)")
    executable(programs / "qselect", f"echo qselect >>{log}")
    yield log.read_text


def test_pbs_has_a_job_for_each_worker_and_none_in_the_end(
    queue: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    settings = ClusterSettings(
        workers=1,
        processors=1,
        memory=1 << 30,
        queue="long",
        account="team",
        prologue=("echo prologue",),
        directives=("-V",),
        command=f"{sys.executable} -m img",
        state=str(tmp_path / "a state"),
        start_timeout_s=60,
    )

    with started(HostProcessLauncher(), BatchSystem("pbs"), settings):
        (certificates,) = (cache / "img").iterdir()
        assert {path.stat().st_mode & 0o777 for path in certificates.iterdir()} == {0o600}
        assert certificates.stat().st_mode & 0o777 == 0o700

    assert list((cache / "img").iterdir()) == []
    log = queue()
    assert "#PBS -q long" in log
    assert "#PBS -A team" in log
    assert "#PBS -V" in log
    assert "\necho prologue\n" in log
    assert f"{sys.executable} -m img worker tls://" in log
    assert f"--state '{tmp_path}/a state'" in log
    assert log.splitlines()[-2:] == ["qdel 7", "qselect"]


def test_an_error_of_the_batch_system_is_shown(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    executable(programs / "sbatch", "echo 'sbatch: error: invalid partition' >&2; exit 1")
    executable(programs / "scancel", "exit 0")

    with (
        pytest.raises(ClusterNotStarted, match="--cluster slurm: sbatch: error: invalid partition"),
        started(HostProcessLauncher(), BatchSystem("slurm"), ClusterSettings()),
    ):
        pass

    assert list((tmp_path / "cache/img").iterdir()) == []


def test_tls_without_certificates_is_refused() -> None:
    scheduler = SchedulerAddress(host="a", port=1, tls=True)

    with (
        pytest.raises(UsageError, match="--cluster tls://a:1 needs certificates"),
        started(HostProcessLauncher(), scheduler, ClusterSettings()),
    ):
        pass


def test_a_cluster_ends_with_the_process_that_started_it(settings: ClusterSettings) -> None:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        with started(HostProcessLauncher(), LocalWorkers(1), settings) as endpoint:
            os.write(writer, endpoint.address.encode())
            signal.pause()
    os.close(writer)
    address = os.read(reader, 1000).decode()
    assert accepts(ClusterEndpoint(address=address))
    began = set(descendants_of(pid, children_of_all()))
    assert began

    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)

    deadline = time.monotonic() + 30
    while alive := {each for each in began if Path(f"/proc/{each}/exe").exists()}:
        assert time.monotonic() < deadline, alive
        time.sleep(0.05)
    assert not accepts(ClusterEndpoint(address=address))
    os.close(reader)
