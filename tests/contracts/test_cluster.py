"""Contract tests of clusters."""

import logging
from collections.abc import Iterator
from dataclasses import replace
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


def test_a_scheduler_that_is_not_there_is_named() -> None:
    with pytest.raises(ClusterError, match=r"no scheduler of Dask answers at tcp://127\.0\.0\.1:9"):
        DaskCluster("tcp://127.0.0.1:9", connect_s=0.3)


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
