"""Contract tests of clusters."""

from collections.abc import Iterator

import pytest

from img.adapters.cluster.scripted import ScriptedCluster, a_worker
from img.application.ports.cluster import Cluster
from img.testing.cluster import AMD64, ARM64, ClusterContract, perform
from tests.support.cluster import dask_in_process


def scripted() -> Iterator[Cluster]:
    yield ScriptedCluster(
        [a_worker("a", perform, AMD64, slots=2), a_worker("b", perform, ARM64, slots=2)]
    )


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    workers = {
        "a": {f"native {AMD64}": 2.0, f"runs {AMD64}": 2.0},
        "b": {f"native {ARM64}": 2.0, f"runs {ARM64}": 2.0},
    }
    with dask_in_process(perform, workers, slots=2) as address:
        yield address


class TestScriptedCluster(ClusterContract):
    @pytest.fixture
    def cluster(self) -> Iterator[Cluster]:
        yield from scripted()


class TestDaskCluster(ClusterContract):
    @pytest.fixture
    def cluster(self, scheduler: str) -> Iterator[Cluster]:
        from img.adapters.cluster.dask import DaskCluster

        made = DaskCluster(scheduler)
        yield made
        made.close()
