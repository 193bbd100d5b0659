"""The options of builds on a cluster."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from img.domain.errors import UsageError
from img.domain.options.cluster_address import SchedulerAddress, parse_cluster
from img.domain.options.cluster_store import parse_cluster_store
from img.entrypoints.settings import ClusterChoice
from img.entrypoints.wiring.without_container import (
    check_cluster_store,
    cluster_settings,
    prepared_cluster,
)


@contextmanager
def chosen_cluster(
    cluster: str, place: str, *, secrets: bool, unsupported: Mapping[str, object]
) -> Iterator[ClusterChoice]:
    """Enter with a cluster and the place of its layers, before the process enters namespaces.

    ``unsupported`` are the values of options that no cluster has, by name. Raises UsageError.
    """
    address = parse_cluster(cluster)
    refuse(name for name, value in unsupported.items() if value)
    if not place:
        raise UsageError(
            "--cluster needs a place where its machines exchange layers",
            hint="--cluster-store dir:/shared/layers, for example, or $IMG_CLUSTER_STORE",
        )
    store = parse_cluster_store(place, os.environ)
    check_cluster_store(store)
    if secrets and isinstance(address, SchedulerAddress) and not address.tls:
        raise UsageError(
            f"--cluster-secrets needs a connection with TLS, and {address} has none",
            hint="name the scheduler tls://HOST:PORT, or leave --cluster-secrets out: then steps"
            " with secrets run on this machine",
        )
    settings = cluster_settings(os.environ)
    with prepared_cluster(address, settings) as start:
        choice = ClusterChoice(
            name=str(address),
            store=str(store),
            start=start,
            secrets=secrets,
            mount_limit=settings.cache_mounts,
            ends=not isinstance(address, SchedulerAddress),
        )
        patience_s = settings.start_timeout_s
        yield choice if patience_s is None else replace(choice, patience_s=patience_s)


def refuse(options: Iterable[str]) -> None:
    """Raise UsageError if there are any options that a cluster does not support."""
    if names := ", ".join(options):
        raise UsageError(
            f"--cluster does not support {names}: workers have their own", hint="leave it out"
        )
