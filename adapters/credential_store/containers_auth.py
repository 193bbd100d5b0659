"""auth.json of podman, buildah and skopeo, and the older ~/.dockercfg."""

from img.adapters.credential_store.docker_config import DockerConfigCredentials
from img.domain.reference import DEFAULT_DOMAIN, DOCKER_HUB_NAMES, DOCKER_HUB_SERVER


class ContainersAuthCredentials(DockerConfigCredentials):
    """Docker's format, with namespaces as further keys (containers-auth.json(5), "FORMAT")."""

    def keys(self, server: str, repository: str) -> list[str]:
        # Host/namespace/name, host/namespace, host: as c/image's "authKeyLookupOrder".
        host = DEFAULT_DOMAIN if server == DOCKER_HUB_SERVER else server
        parts = repository.split("/") if repository else []
        narrow = ["/".join((host, *parts[:count])) for count in range(len(parts), 0, -1)]
        return [*narrow, server]

    def is_key_of(self, key: str, server: str) -> bool:
        host, _, path = key.removeprefix("https://").removeprefix("http://").partition("/")
        names = DOCKER_HUB_NAMES if server == DOCKER_HUB_SERVER else (server,)
        return host in names and path.strip("/") in ("", "v1", "v2")


class DockercfgCredentials(DockerConfigCredentials):
    """~/.dockercfg, which consists of the "auths" of Docker's newer file."""

    def auths(self, document: dict[str, object]) -> dict[str, object]:
        return document
