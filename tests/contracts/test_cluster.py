"""Contract tests of clusters."""

import logging
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from img import __version__
from img.adapters.cluster.dask import DaskCluster
from img.adapters.cluster.scripted import ScriptedCluster, a_worker
from img.adapters.cluster_launcher.certificates import Certificates
from img.application.ports.cluster import Cluster, ClusterError, Placement
from img.domain.cluster_worker import STEP
from img.testing.cluster import AMD64, ARM64, ClusterContract, Watched, perform
from img.testing.vertex_workers import SECRET, a_task
from tests.support.cluster import dask_in_process


@pytest.fixture(scope="module")
def certificates() -> Certificates:
    return Certificates.temporary()


@pytest.fixture(scope="module")
def scheduler(certificates: Certificates) -> Iterator[str]:
    workers = {
        "of-others": {},
        "a": {STEP: 2.0, f"native {AMD64}": 2.0, f"runs {AMD64}": 2.0},
        "b": {STEP: 2.0, f"native {ARM64}": 2.0, f"runs {ARM64}": 2.0},
    }
    with dask_in_process(perform, workers, certificates.security(), slots=2) as address:
        yield address


@pytest.fixture
def dask(scheduler: str, certificates: Certificates) -> Iterator[DaskCluster]:
    made = DaskCluster(scheduler, ca=certificates.ca, cert=certificates.cert, key=certificates.key)
    yield made
    made.close()


class TestScriptedCluster(ClusterContract):
    @pytest.fixture
    def cluster(self) -> Cluster:
        return ScriptedCluster(
            [a_worker("a", perform, AMD64, slots=2), a_worker("b", perform, ARM64, slots=2)]
        )


class TestDaskCluster(ClusterContract):
    @pytest.fixture
    def cluster(self, dask: DaskCluster) -> Cluster:
        return dask


def test_a_worker_with_another_version_is_named(scheduler: str, certificates: Certificates) -> None:
    other = DaskCluster(
        scheduler, ca=certificates.ca, cert=certificates.cert, key=certificates.key, version="9.9"
    )
    watch = Watched()

    with pytest.raises(
        ClusterError, match=rf"^the worker tls://.* has img {__version__}\+[0-9a-f]{{12}}, .* 9\.9$"
    ):
        other.run(a_task("make"), Placement(), watch, Event())

    assert watch.workers == []
    other.close()


def test_workers_of_other_programs_get_no_steps(dask: DaskCluster) -> None:
    watch = Watched()
    assert {each.name for each in dask.workers()} == {"a", "b"}

    for _ in range(4):
        dask.run(a_task("make"), Placement(), watch, Event())

    assert set(watch.workers) <= {each.address for each in dask.workers()}


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Return a port that refuses connections: it is bound, and nothing listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.mark.parametrize("scheme", ["tcp", "tls"])
def test_a_scheduler_that_is_not_there_is_named(
    scheme: str, closed_port: int, certificates: Certificates
) -> None:
    address = f"{scheme}://127.0.0.1:{closed_port}"

    with pytest.raises(
        ClusterError, match=f"^no scheduler of Dask answers at {address}: connection refused$"
    ):
        connected(address, certificates)


def test_a_host_that_cannot_exist_is_named() -> None:
    with pytest.raises(ClusterError, match=r"^no scheduler .* at tcp://a\.\.b:1: no host can have"):
        DaskCluster("tcp://a..b:1")


def test_a_scheduler_that_uses_tls_is_not_reached_without(scheduler: str) -> None:
    with pytest.raises(ClusterError, match=r"^the scheduler at tcp://.* uses TLS$") as failed:
        DaskCluster(scheduler.replace("tls:", "tcp:"))

    assert scheduler in str(failed.value.hint)


def test_a_scheduler_that_does_not_use_tls_is_not_reached_with_it(
    certificates: Certificates,
) -> None:
    with (
        dask_in_process(perform, {}, None, slots=1) as address,
        pytest.raises(
            ClusterError, match=r"^the scheduler at tls://.* does not use TLS: "
        ) as failed,
    ):
        connected(address.replace("tcp:", "tls:"), certificates)

    assert address in str(failed.value.hint)


def test_certificates_of_another_authority_are_no_certificates(scheduler: str) -> None:
    other = Certificates.temporary()

    with pytest.raises(ClusterError, match=f"^the certificate of {scheduler} is not trusted: "):
        connected(scheduler, other)


def test_a_scheduler_may_refuse_the_certificate_of_a_client(
    scheduler: str, certificates: Certificates
) -> None:
    other = Certificates.temporary()

    with pytest.raises(ClusterError, match=f"^the scheduler {scheduler} refuses the certificate: "):
        DaskCluster(scheduler, ca=certificates.ca, cert=other.cert, key=other.key)


def test_files_without_certificates_are_named(scheduler: str, tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"^the certificates for the cluster cannot be read: "):
        DaskCluster(scheduler, ca=str(tmp_path / "ca.pem"), cert="c", key="k")


def connected(address: str, certificates: Certificates) -> DaskCluster:
    if address.startswith("tcp:"):
        return DaskCluster(address)
    return DaskCluster(address, ca=certificates.ca, cert=certificates.cert, key=certificates.key)


def test_dask_keeps_no_secret(dask: DaskCluster, caplog: pytest.LogCaptureFixture) -> None:
    loggers = [logging.getLogger(name) for name in list(logging.root.manager.loggerDict)]
    ours = [each for each in loggers if each.name.startswith("distributed")]
    levels = [each.level for each in ours]
    for each in ours:
        each.setLevel(logging.DEBUG)
        each.addHandler(caplog.handler)
    try:
        task = replace(a_task("secret"), needs_secrets=True)
        dask.run(task, Placement(), Watched(), Event())
        state = dask._client.run_on_scheduler(
            lambda dask_scheduler: repr(
                (
                    dask_scheduler.get_events(),
                    [(each.key, each.run_spec) for each in dask_scheduler.tasks.values()],
                    dask_scheduler.transition_log,
                    dask_scheduler.get_logs(),
                )
            )
        )
    finally:
        for each, level in zip(ours, levels, strict=True):
            each.removeHandler(caplog.handler)
            each.setLevel(level)

    assert "img-run-" in state
    assert SECRET.decode() not in state + caplog.text
