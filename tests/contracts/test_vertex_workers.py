"""Contract tests of workers that run steps."""

import pytest

from img.adapters.cluster.scripted import ScriptedCluster, a_worker
from img.adapters.vertex_workers.threads import ThreadWorkers
from img.application.ports.vertex_workers import VertexWorkers
from img.application.solver.cluster_workers import ClusterWorkers
from img.testing.vertex_workers import VertexWorkersContract, play


class TestThreadWorkers(VertexWorkersContract):
    @pytest.fixture
    def workers(self) -> VertexWorkers:
        return ThreadWorkers()


class TestClusterWorkers(VertexWorkersContract):
    @pytest.fixture
    def workers(self) -> VertexWorkers:
        cluster = ScriptedCluster([a_worker("a", play), a_worker("b", play)])
        return ClusterWorkers(lambda: cluster, print, patience_s=0)
