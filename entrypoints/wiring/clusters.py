"""Wiring of clusters: the workers that run the steps of builds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from img.domain.options.cluster_store import parse_cluster_store
from img.entrypoints.lazy import lazy_imports
from img.entrypoints.wiring.setup import Setup

with lazy_imports(__name__):
    from img.adapters.cluster.dask import DaskCluster
    from img.application.solver.cluster_use import ClusterUse
    from img.application.solver.cluster_workers import ClusterWorkers

if TYPE_CHECKING:
    from img.application.layers.on_demand import Layers
    from img.application.layers.shared import ShareLayers
    from img.application.ports.cluster import Cluster
    from img.application.ports.progress_sink import ProgressSink


def cluster_of(setup: Setup) -> Cluster:
    """Return the connection to the cluster of the settings.

    Raises ClusterError; UsageError if the package for it is not installed.
    """
    from img.domain.errors import UsageError

    choice = setup.settings.cluster
    assert choice is not None
    try:
        return DaskCluster(
            choice.address,
            dashboard=choice.dashboard,
            ca=choice.ca,
            cert=choice.cert,
            key=choice.key,
        )
    except ModuleNotFoundError as error:
        if error.name not in ("dask", "distributed"):
            raise
        raise UsageError(
            "--cluster needs the package distributed", hint="pip install 'img-builder[cluster]'"
        ) from None


def use_of(setup: Setup, share: Callable[[], ShareLayers], layers: Layers) -> ClusterUse:
    """Return the exchange of steps with the cluster of the settings. Raises UsageError …"""
    settings = setup.settings
    assert settings.cluster is not None
    return ClusterUse(
        shared=share()(parse_cluster_store(settings.cluster.store)),
        layers=layers,
        platform=settings.platform,
        retries=settings.retries,
        limit_s=settings.step_limit_s,
        secrets=settings.cluster.secrets,
        secret_guard=settings.secret_guard,
    )


def workers_of(cluster: Cluster) -> ClusterWorkers:
    """Return the workers of a cluster."""
    return ClusterWorkers(cluster)


def announce(cluster: Cluster, progress: ProgressSink) -> None:
    """Show the cluster in the progress. Raises ClusterError, NoWorker."""
    from img.domain.progress import VertexDone, VertexStarted

    members = cluster.workers()
    slots = sum(each.slots for each in members)
    workers = "1 worker" if len(members) == 1 else f"{len(members)} workers"
    steps = "1 step" if slots == 1 else f"{slots} steps"
    dashboard = f", dashboard {cluster.dashboard}" if cluster.dashboard else ""
    name = f"[internal] cluster {cluster.name}: {workers}, {steps} at a time{dashboard}"
    progress.emit(VertexStarted(vertex="cluster", name=name))
    progress.emit(VertexDone(vertex="cluster"))
