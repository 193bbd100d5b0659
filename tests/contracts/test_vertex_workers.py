"""Contract tests of workers that run steps."""

import pytest

from img.adapters.vertex_workers.threads import ThreadWorkers
from img.application.ports.vertex_workers import VertexWorkers
from img.testing.vertex_workers import VertexWorkersContract


class TestThreadWorkers(VertexWorkersContract):
    @pytest.fixture
    def workers(self) -> VertexWorkers:
        return ThreadWorkers(slots=8)
