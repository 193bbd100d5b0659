"""Secrets in a dict."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from img.application.ports.secret_source import SecretSource


class MemorySecrets(SecretSource):
    """Serves ``secrets`` by id, and paths of agents' sockets by id."""

    def __init__(
        self, secrets: Mapping[str, bytes] | None = None, agents: Mapping[str, str] | None = None
    ) -> None:
        self._secrets = secrets or {}
        self._agents = agents or {}

    def secret(self, name: str) -> bytes | None:
        return self._secrets.get(name)

    @contextmanager
    def agent(self, name: str, *, mode: int, uid: int, gid: int) -> Iterator[str | None]:
        yield self._agents.get(name)
