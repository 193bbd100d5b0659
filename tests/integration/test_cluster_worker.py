"""``img worker`` as a worker of a cluster with TLS, with certificates made here."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import pytest
from distributed import Client

from img import __version__
from img.adapters.cluster_launcher.certificates import Certificates
from img.adapters.cluster_launcher.host_process import HostProcessLauncher
from img.application.ports.cluster_launcher import ClusterEndpoint
from img.domain.cluster_worker import FACTS
from img.domain.options.cluster_address import LocalWorkers
from img.domain.options.cluster_settings import ClusterSettings
from img.entrypoints.settings import host_platform
from img.testing.cluster_launcher import started
from tests.support.servers.certificates import Authority
from tests.support.servers.free_port import free_port

_WORKER = (sys.executable, "-m", "img", "worker")


def tls_of(authority: Authority) -> Certificates:
    """Return a certificate of the authority, in files."""
    made = authority.issue("machine", "DNS:dask-internal")
    return Certificates(
        ca=str(authority.certificate), cert=str(made.certificate), key=str(made.key)
    )


@pytest.fixture
def tls(tmp_path: Path) -> Certificates:
    return tls_of(Authority(tmp_path))


def settings_of(tls: Certificates, directory: Path) -> ClusterSettings:
    return ClusterSettings(state=str(directory), ca=tls.ca, cert=tls.cert, key=tls.key)


@pytest.fixture
def cluster(tls: Certificates, tmp_path: Path) -> Iterator[ClusterEndpoint]:
    settings = settings_of(tls, tmp_path)
    with started(HostProcessLauncher(), LocalWorkers(1), settings) as endpoint:
        yield endpoint


def worker(address: str, *options: str, death_timeout: str = "20") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*_WORKER, address, "--death-timeout", death_timeout, *options],
        stderr=subprocess.PIPE,
        text=True,
    )


def joined(process: subprocess.Popen[str]) -> str:
    """Return the line of a worker that has joined its cluster."""
    assert process.stderr is not None
    return next(line for line in process.stderr if "has joined" in line)


def with_files(tls: Certificates) -> tuple[str, ...]:
    return ("--tls-ca-file", tls.ca, "--tls-cert", tls.cert, "--tls-key", tls.key)


def start_orphan() -> int:
    """Return the pid of a process that ignores SIGTERM and has no parent in the worker."""
    script = "trap '' TERM; (sleep 1000 >/dev/null 2>&1 & echo $!)"
    return int(subprocess.run(["sh", "-c", script], stdout=subprocess.PIPE, check=True).stdout)


def test_a_worker_joins_with_its_certificate_and_leaves_nothing(
    cluster: ClusterEndpoint, tls: Certificates, tmp_path: Path
) -> None:
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    state = tmp_path / "state"
    options = ("--name", "second", "--nthreads", "3", "--memory-limit", "1GiB")
    process = worker(cluster.address, *with_files(tls), *options, "--state", str(state))
    assert f"has joined {cluster.address}; its state is {state}" in joined(process)
    with Client(cluster.address, security=tls.security()) as client:  # type: ignore[no-untyped-call]
        workers: dict[str, Any] = client.scheduler_info()["workers"]
        address, facts = next(each for each in workers.items() if each[1]["name"] == "second")
        orphan = client.submit(start_orphan, workers=[address]).result()
        told = client.submit(os.getenv, "IMG_STATE", workers=[address]).result()

        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0

    assert (facts["nthreads"], facts["memory_limit"]) == (3, 1 << 30)
    assert facts[FACTS] == {"version": __version__}
    assert facts["resources"][f"native {host_platform()}"] == 3
    assert told == str(state)
    assert not Path(f"/proc/{orphan}").exists()
    process.communicate()


@pytest.mark.parametrize(
    ("options", "code", "reason"),
    [
        ((), 6, "the scheduler {address} cannot be reached: there is no answer within 0.5 s"),
        (
            ("--local-directory", "{file}/a"),
            6,
            "the worker cannot start: {file}/a: not a directory",
        ),
        (("--state", "{file}/a"), 8, "cannot make the state directory {file}/a: Not a directory"),
    ],
)
def test_a_worker_without_a_scheduler_or_a_directory_says_so(
    options: tuple[str, ...], code: int, reason: str, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    places = {"file": str(tmp_path / "file"), "address": f"tcp://127.0.0.1:{free_port()}"}
    state = ("--state", str(tmp_path / "state"))
    given = [each.format(**places) for each in (*state, *options)]

    process = worker(places["address"], *given, death_timeout="0.5")
    _, said = process.communicate(timeout=60)

    assert said.startswith(f"Error: {reason.format(**places)}")
    assert said.count("\n") == 1
    assert process.returncode == code


def test_a_worker_says_that_it_waits_for_its_scheduler(tmp_path: Path) -> None:
    address = f"tcp://127.0.0.1:{free_port()}"

    process = worker(address, "--state", str(tmp_path / "state"))

    assert process.stderr is not None
    assert process.stderr.readline() == f"waiting for the scheduler {address}\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60)[1] == ""


def test_a_worker_with_another_authority_is_not_admitted(
    cluster: ClusterEndpoint, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = tls_of(Authority(tmp_path / "other", "other"))

    process = worker(cluster.address, *with_files(other), "--death-timeout", "2")
    _, said = process.communicate(timeout=60)

    assert process.returncode == 6
    assert f"the scheduler {cluster.address} cannot be reached" in said


def test_workers_have_names_of_their_own_and_end_with_their_scheduler(
    tls: Certificates, tmp_path: Path
) -> None:
    settings = settings_of(tls, tmp_path)
    host = os.uname().nodename
    with started(HostProcessLauncher(), LocalWorkers(1), settings) as endpoint:
        first = worker(endpoint.address, *with_files(tls))
        joined(first)
        second = worker(endpoint.address, *with_files(tls))
        joined(second)
        third = worker(endpoint.address, *with_files(tls), "--name", host)
        _, refused = third.communicate(timeout=60)
        with Client(endpoint.address, security=tls.security()) as client:  # type: ignore[no-untyped-call]
            workers = client.scheduler_info()["workers"].values()

    assert {each["name"] for each in workers} == {"local-1", host, f"{host}-{second.pid}"}
    assert refused.splitlines()[-1].startswith(
        f"Error: the scheduler {endpoint.address} has a worker {host} already"
    )
    for each in (first, second):
        _, said = each.communicate(timeout=60)
        assert each.returncode == 6
        assert f"the scheduler {endpoint.address} has ended" in said
