"""Clusters in memory."""

from collections.abc import Iterator
from contextlib import contextmanager

from img.application.ports.cluster_launcher import (
    ClusterEndpoint,
    ClusterLauncher,
    ClusterNotStarted,
    StartCluster,
)
from img.domain.options.cluster_address import ClusterAddress, Kubernetes, SchedulerAddress
from img.domain.options.cluster_settings import ClusterSettings


class MemoryClusterLauncher(ClusterLauncher):
    """A launcher for tests: ``running`` has the schedulers that were started and not ended."""

    def __init__(self) -> None:
        self.running: set[str] = set()

    @contextmanager
    def prepared(
        self, address: ClusterAddress, settings: ClusterSettings
    ) -> Iterator[StartCluster]:
        if isinstance(address, Kubernetes):
            raise ClusterNotStarted("no pods in memory")
        endpoint = ClusterEndpoint(
            address=str(address), ca=settings.ca, cert=settings.cert, key=settings.key
        )

        def start() -> ClusterEndpoint:
            if not isinstance(address, SchedulerAddress):
                self.running.add(endpoint.address)
            return endpoint

        try:
            yield start
        finally:
            self.running.discard(endpoint.address)
