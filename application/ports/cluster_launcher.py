"""Clusters that exist for one command (``--cluster slurm|pbs|ssh:HOSTS|local:N``)."""

from abc import abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import field
from typing import Protocol

from img.domain.dataclass import dataclass
from img.domain.errors import RemoteError
from img.domain.options.cluster_address import ClusterAddress
from img.domain.options.cluster_settings import ClusterSettings


class ClusterNotStarted(RemoteError):
    """A scheduler, or workers, of a cluster that do not start."""


class MissingClusterExtra(ClusterNotStarted):
    """An optional package for clusters that is not installed."""

    def __init__(self, user: str, package: str) -> None:
        super().__init__(
            f"{user} needs the package {package}", hint="pip install 'img-builder[cluster]'"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterEndpoint:
    """A scheduler that accepts clients; ``ca``, ``cert`` and ``key`` are PEM texts or files."""

    address: str  # tcp://… or tls://…
    dashboard: str = ""  # a URL
    ca: str = ""
    cert: str = ""
    key: str = field(default="", repr=False)


StartCluster = Callable[[], ClusterEndpoint]
"""Starts a cluster when it is called first, and waits for a worker. Raises ClusterNotStarted."""


class ClusterLauncher(Protocol):
    """Starts clusters."""

    @abstractmethod
    def prepared(
        self, address: ClusterAddress, settings: ClusterSettings
    ) -> AbstractContextManager[StartCluster]:
        """Enter with a function that starts the cluster; on leaving, end all that it started.

        Nothing of the cluster is left afterwards, also if this process is killed. A scheduler with
        an address of its own is left as it is, and not looked for. Only a process that is in the
        user's own namespaces may enter it: batch systems and ssh look at the user. The function may
        be called later, and from any thread. Raises ClusterNotStarted, UsageError.
        """
