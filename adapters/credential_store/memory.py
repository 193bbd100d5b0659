"""Credentials in a dict."""

from collections.abc import Mapping

from img.application.ports.credential_store import Credentials, CredentialStore


class MemoryCredentials(CredentialStore):
    """Credentials that are not stored; for tests, and for a build with credentials of its own."""

    def __init__(self, known: Mapping[str, Credentials] | None = None) -> None:
        self._known = dict(known or {})

    def get(self, server: str, repository: str = "") -> Credentials | None:
        return self._known.get(f"{server}/{repository}", self._known.get(server))

    def put(self, server: str, credentials: Credentials) -> None:
        self._known[server] = credentials

    def remove(self, server: str) -> bool:
        return self._known.pop(server, None) is not None
