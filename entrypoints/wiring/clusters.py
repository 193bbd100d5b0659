"""Wiring of clusters: the workers that run the steps of builds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from img.domain.errors import ImgError
from img.domain.options.cluster_store import parse_cluster_store
from img.entrypoints.lazy import lazy_imports
from img.entrypoints.wiring.setup import Setup

with lazy_imports(__name__):
    from img.adapters.cluster.dask import DaskCluster
    from img.application.solver.cluster_use import ClusterUse
    from img.application.solver.cluster_workers import ClusterWorkers
    from img.domain.progress import VertexCanceled, VertexDone, VertexFailed, VertexStarted

if TYPE_CHECKING:
    from img.application.layers.mount_records import MountRecords
    from img.application.layers.on_demand import Layers
    from img.application.layers.shared import ShareLayers
    from img.application.ports.cluster import Cluster
    from img.application.ports.progress_sink import ProgressSink
    from img.entrypoints.settings import ClusterChoice


_SETTLE_S = 10.0  # for the last cache mounts of workers that end with the build


def workers_of(setup: Setup, progress: ProgressSink) -> ClusterWorkers:
    """Return the workers of the cluster of the settings, which is started when it is needed."""
    choice = setup.settings.cluster
    assert choice is not None
    return ClusterWorkers(
        lambda: _shown(setup, progress),
        lambda wanted: _note(progress, f"{wanted}: waiting up to {choice.patience_s:g} s for one"),
        patience_s=choice.patience_s,
        settle_s=_SETTLE_S if choice.ends else 0.0,
    )


def _shown(setup: Setup, progress: ProgressSink) -> Cluster:
    """Return the cluster of the settings; progress shows how it is started, and what it has.

    Raises ClusterError, ClusterNotStarted, StepCanceled.
    """
    from img.adapters.http.interruptible import interruptible
    from img.application.cancellation import StepCanceled

    choice = setup.settings.cluster
    assert choice is not None
    name = f"[internal] start cluster {choice.name}"
    progress.emit(VertexStarted(vertex="start cluster", name=name))
    try:
        cluster = interruptible(lambda: _connected(choice), _close)
    except StepCanceled:
        progress.emit(VertexCanceled(vertex="start cluster"))
        raise
    except ImgError as error:
        progress.emit(VertexFailed(vertex="start cluster", message=error.message))
        raise
    progress.emit(VertexDone(vertex="start cluster"))
    _announce(cluster, progress)
    return cluster


def _close(cluster: Cluster) -> None:
    cluster.close()


def _connected(choice: ClusterChoice) -> Cluster:
    endpoint = choice.start()
    return DaskCluster(
        endpoint.address,
        dashboard=endpoint.dashboard,
        ca=endpoint.ca,
        cert=endpoint.cert,
        key=endpoint.key,
        patience_s=choice.patience_s,
    )


def use_of(
    setup: Setup,
    share: Callable[[], ShareLayers],
    layers: Layers,
    mounts: Callable[[], MountRecords],
) -> ClusterUse:
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
        mounts=mounts() if settings.cluster.mount_limit else None,
        mount_limit=settings.cluster.mount_limit,
    )


def _announce(cluster: Cluster, progress: ProgressSink) -> None:
    """Show the cluster in the progress. Raises SchedulerLost."""
    members = cluster.workers()
    slots = sum(each.slots for each in members)
    workers = "1 worker" if len(members) == 1 else f"{len(members)} workers"
    steps = "1 step" if slots == 1 else f"{slots} steps"
    dashboard = f", dashboard {cluster.dashboard}" if cluster.dashboard else ""
    _note(progress, f"cluster {cluster.name}: {workers}, {steps} at a time{dashboard}")


def _note(progress: ProgressSink, text: str) -> None:
    """Show a line that stands for no work."""
    progress.emit(VertexStarted(vertex=text, name=f"[internal] {text}"))
    progress.emit(VertexDone(vertex=text))
