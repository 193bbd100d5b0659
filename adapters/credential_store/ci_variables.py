"""Credentials in variables of CI systems, for registries that credential files do not know."""

from collections.abc import Mapping

from img.application.ports.credential_store import Credentials, CredentialStore
from img.domain.reference import DOCKER_HUB_SERVER

_HUB = "index.docker.io"


class CiVariables(CredentialStore):
    """Asks ``files`` first; then the variables of kaniko and those of GitLab.

    kaniko's are KANIKO_<HOST>_USER and _PASSWORD, with the host or a domain above it (pkg/creds,
    env_keychain.go); GitLab's are CI_REGISTRY, CI_REGISTRY_USER and CI_REGISTRY_PASSWORD.
    """

    def __init__(
        self,
        files: CredentialStore,
        environment: Mapping[str, str],
        *,
        kaniko: bool,
        gitlab: bool,
    ) -> None:
        self._files = files
        self._environment = environment
        self._kaniko = kaniko
        self._gitlab = gitlab

    def get(self, server: str, repository: str = "") -> Credentials | None:
        return (
            self._files.get(server, repository)
            or (self._of_kaniko(server) if self._kaniko else None)
            or (self._of_gitlab(server) if self._gitlab else None)
        )

    def put(self, server: str, credentials: Credentials) -> None:
        self._files.put(server, credentials)

    def remove(self, server: str) -> bool:
        return self._files.remove(server)

    def _of_kaniko(self, server: str) -> Credentials | None:
        host = _HUB if server == DOCKER_HUB_SERVER else server
        labels = host.upper().replace("-", "_").split(".")
        for i in range(len(labels)):
            name = f"KANIKO_{'_'.join(labels[i:])}"
            if (found := self._pair(f"{name}_USER", f"{name}_PASSWORD")) is not None:
                return found
        return None

    def _of_gitlab(self, server: str) -> Credentials | None:
        named = self._environment.get("CI_REGISTRY", "").removeprefix("https://")
        host = named.partition("/")[0].partition(":")[0]
        if not host or server.partition(":")[0] != host:
            return None
        return self._pair("CI_REGISTRY_USER", "CI_REGISTRY_PASSWORD")

    def _pair(self, user: str, password: str) -> Credentials | None:
        if user not in self._environment or password not in self._environment:
            return None
        return Credentials(username=self._environment[user], password=self._environment[password])
