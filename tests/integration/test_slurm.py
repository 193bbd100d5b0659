"""Workers as jobs of Debian's Slurm, on this machine."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client

from img.adapters.cluster_launcher.certificates import Certificates
from img.adapters.cluster_launcher.host_process import HostProcessLauncher
from img.application.ports.cluster_launcher import ClusterNotStarted
from img.domain.options.cluster_address import BatchSystem
from img.domain.options.cluster_settings import ClusterSettings
from img.testing.cluster_launcher import started
from tests.support.host.machine import program
from tests.support.servers.slurm import SlurmServer

SLURM = BatchSystem("slurm")


@pytest.fixture(scope="module")
def server() -> Iterator[SlurmServer]:
    with SlurmServer() as running:
        yield running


@pytest.fixture
def slurm(
    server: SlurmServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SlurmServer]:
    """Have an empty queue, and a home of its own."""
    for name, value in {**server.environment, "HOME": str(tmp_path / "home")}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert server.queue() == []
    yield server
    until_empty(server)


def until_empty(server: SlurmServer) -> None:
    deadline = time.monotonic() + 20
    while queue := server.queue():
        assert time.monotonic() < deadline, queue
        time.sleep(0.1)


def settings(directory: Path, **more: object) -> ClusterSettings:
    chosen: dict[str, object] = {
        "workers": 2,
        "processors": 2,
        "memory": 1 << 30,
        "command": f"{sys.executable} -m img",
        "state": str(directory / "state"),
        "start_timeout_s": 60.0,
    }
    return ClusterSettings(**{**chosen, **more})  # type: ignore[arg-type]


DOCKERFILE = """\
FROM scratch AS base
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
FROM base AS a
RUN echo "$SLURM_JOB_ID" >/a
FROM base AS b
RUN echo b >/b
FROM base
COPY --from=a /a /a
COPY --from=b /b /b
RUN cat /a /b >/c
"""


def test_a_build_on_slurm_gives_the_same_image_and_leaves_no_job(
    slurm: SlurmServer, tmp_path: Path
) -> None:
    context, layers = tmp_path / "context", tmp_path / "layers"
    context.mkdir()
    layers.mkdir()
    shutil.copy(program("busybox"), context / "busybox")
    (context / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "settings.toml").write_text(
        "[cluster]\n"
        'workers = 2\nprocessors = 2\nmemory = "1GB"\nqueue = "img"\n'
        f'state = "{tmp_path}/states"\ncommand = "{sys.executable} -m img"\n'
    )

    def build(name: str, *options: str) -> tuple[str, str]:
        """Return the ID of the image, and the progress."""
        words = ("build", "--state", str(tmp_path / name), "--iidfile", str(tmp_path / "id"))
        done = subprocess.run(
            [sys.executable, "-m", "img", *words, "--progress=plain", *options, str(context)],
            env={
                **os.environ,
                "IMG_SETTINGS": str(tmp_path / "settings.toml"),
                "SOURCE_DATE_EPOCH": "1",
            },
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return (tmp_path / "id").read_text(), done.stderr

    here, _ = build("here")
    there, progress = build("client", "--cluster=slurm", f"--cluster-store=dir:{layers}")

    assert there == here
    until_empty(slurm)  # Slurm needs a moment to note the end of a job
    steps = [line for line in progress.splitlines() if "RUN" in line and "(on slurm-" in line]
    assert len({line.partition("] ")[2] for line in steps}) >= 4


def test_each_worker_is_a_job_and_the_queue_is_empty_afterwards(
    slurm: SlurmServer, tmp_path: Path
) -> None:
    chosen = settings(tmp_path, directives=("--comment=images",), logs=str(tmp_path / "logs"))
    with started(HostProcessLauncher(), SLURM, chosen) as endpoint:
        tls = Certificates(ca=endpoint.ca, cert=endpoint.cert, key=endpoint.key).security()
        with Client(endpoint.address, security=tls) as client:  # type: ignore[no-untyped-call]
            client.wait_for_workers(2, timeout=60)
            jobs = client.run(os.getenv, "SLURM_JOB_ID")
            assert sorted(jobs.values()) == sorted(slurm.queue())
            assert set(client.run(os.getcwd).values()) == {"/"}
            workers = client.scheduler_info()["workers"].values()
            assert {(each["nthreads"], each["memory_limit"]) for each in workers} == {(2, 1 << 30)}

    until_empty(slurm)  # Slurm needs a moment to note the end of a job
    assert {path.suffix for path in (tmp_path / "logs").iterdir()} == {".out", ".err"}
    assert list((tmp_path / "home/.cache/img").iterdir()) == []


def test_jobs_that_wait_for_resources_leave_the_queue_in_time(
    slurm: SlurmServer, tmp_path: Path
) -> None:
    too_many = settings(tmp_path, directives=("--begin=now+1hour",), start_timeout_s=0.5)

    with (
        pytest.raises(ClusterNotStarted, match="no worker has started"),
        started(HostProcessLauncher(), SLURM, too_many),
    ):
        pass

    until_empty(slurm)  # Slurm needs a moment to note the end of a job


def test_jobs_end_with_a_client_that_is_killed(slurm: SlurmServer, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        with started(HostProcessLauncher(), SLURM, settings(tmp_path, workers=1)):
            os.write(writer, b"up")
            signal.pause()
    assert os.read(reader, 2) == b"up"
    assert len(slurm.queue()) == 1

    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)

    until_empty(slurm)
    os.close(reader)
    os.close(writer)
