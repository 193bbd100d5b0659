"""The connections to registries, one for each host."""

import functools
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from img.adapters.registry.limits import Limits
from img.application.cancellation import pause
from img.application.ports.credential_store import Credentials, CredentialStore
from img.domain.dataclass import dataclass
from img.domain.reference import DOCKER_HUB_HOST, DOCKER_HUB_SERVER, ImageReference, server_of

if TYPE_CHECKING:
    from img.adapters.registry.connection import Connection
    from img.adapters.registry.trust import Trust


def _never(_name: str) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Settings for the access to registries.

    ``insecure`` tells whether a host, or a repository with its host, may use http, or https with an
    unknown certificate; loopback hosts may always use http. ``trust`` defaults to the settings of
    this process' environment.
    """

    credentials: CredentialStore
    insecure: Callable[[str], bool] = _never
    trust: "Trust | None" = None
    sleep: Callable[[float], None] = pause
    limits: Limits = Limits()


class Connections:
    """One connection per host, created on first use, which also loads oras and requests."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._known: dict[tuple[str, bool], Connection] = {}
        self._lock = threading.Lock()

    def to(self, reference: ImageReference) -> "Connection":
        """Return the connection to the registry of ``reference``."""
        return self._to(reference.registry_host, self._access.insecure(reference.repository))

    def to_server(self, server: str) -> "Connection":
        """Return the connection to a registry, by the name that a user types."""
        host = _host_of(server)
        return self._to(host, self._access.insecure(host))

    def with_credentials(self, server: str, credentials: Credentials) -> "Connection":
        """Return a new connection to a registry, with these credentials."""
        host = _host_of(server)
        return self._new(host, self._access.insecure(host), lambda _: credentials)

    def _to(self, host: str, insecure: bool) -> "Connection":
        with self._lock:
            connection = self._known.get((host, insecure))
            if connection is None:
                # A helper program behind get() may be slow, and each scope asks again.
                get = functools.cache(
                    lambda repository: self._access.credentials.get(server_of(host), repository)
                )
                connection = self._known[host, insecure] = self._new(host, insecure, get)
            return connection

    def _new(
        self, host: str, insecure: bool, credentials: Callable[[str], Credentials | None]
    ) -> "Connection":
        from img.adapters.registry.connection import Connection
        from img.adapters.registry.trust import Trust

        return Connection(
            host,
            credentials=credentials,
            insecure=insecure,
            trust=self._access.trust or Trust.of(os.environ),
            sleep=self._access.sleep,
            limits=self._access.limits,
        )


def _host_of(server: str) -> str:
    key = server_of(server)
    return DOCKER_HUB_HOST if key == DOCKER_HUB_SERVER else key
