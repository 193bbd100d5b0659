"""Contract suite of launchers of clusters."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from img.application.ports.cluster_launcher import (
    ClusterEndpoint,
    ClusterLauncher,
    ClusterNotStarted,
)
from img.domain.options.cluster_address import ClusterAddress, Kubernetes, SchedulerAddress
from img.domain.options.cluster_settings import ClusterSettings

IsUp = Callable[[ClusterEndpoint], bool]
"""Returns whether a scheduler accepts connections."""


@contextmanager
def started(
    launcher: ClusterLauncher, address: ClusterAddress, settings: ClusterSettings
) -> Iterator[ClusterEndpoint]:
    """Enter with a cluster that is up."""
    with launcher.prepared(address, settings) as start:
        yield start()


class ClusterLauncherContract:
    """Promises of every ClusterLauncher.

    Fixtures: ``launcher``, ``address`` of a cluster that it can start, ``settings``, ``is_up``.
    """

    def test_a_cluster_is_started_once_and_only_when_it_is_needed(
        self,
        launcher: ClusterLauncher,
        address: ClusterAddress,
        settings: ClusterSettings,
        is_up: IsUp,
    ) -> None:
        with launcher.prepared(address, settings):
            pass
        with launcher.prepared(address, settings) as start:
            endpoint = start()
            assert start() == endpoint
            assert is_up(endpoint)

        assert not is_up(endpoint)

    def test_a_cluster_ends_when_its_user_fails(
        self,
        launcher: ClusterLauncher,
        address: ClusterAddress,
        settings: ClusterSettings,
        is_up: IsUp,
    ) -> None:
        with (
            pytest.raises(KeyboardInterrupt),
            started(launcher, address, settings) as endpoint,
        ):
            raise KeyboardInterrupt

        assert not is_up(endpoint)

    def test_a_scheduler_with_an_address_is_not_looked_for(self, launcher: ClusterLauncher) -> None:
        scheduler = SchedulerAddress(host="scheduler.invalid", port=1, tls=False)

        with started(launcher, scheduler, ClusterSettings()) as endpoint:
            assert endpoint == ClusterEndpoint(address="tcp://scheduler.invalid:1")

    def test_a_scheduler_with_tls_has_the_certificates_of_the_settings(
        self, launcher: ClusterLauncher
    ) -> None:
        scheduler = SchedulerAddress(host="scheduler.invalid", port=1, tls=True)
        settings = ClusterSettings(ca="/ca", cert="/cert", key="/key")

        with started(launcher, scheduler, settings) as endpoint:
            assert (endpoint.ca, endpoint.cert, endpoint.key) == ("/ca", "/cert", "/key")

    def test_kubernetes_is_refused(self, launcher: ClusterLauncher) -> None:
        with (
            pytest.raises(ClusterNotStarted),
            started(launcher, Kubernetes(), ClusterSettings()),
        ):
            pass
