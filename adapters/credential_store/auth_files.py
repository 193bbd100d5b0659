"""The files in which docker, podman, buildah and skopeo keep who the user is."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from img.adapters.credential_store.docker_config import (
    DockerConfigCredentials,
    docker_config_path,
)
from img.adapters.linux.outsider import HelperRunner, run_here
from img.application.log import logger
from img.application.ports.credential_store import Credentials, CredentialStore

log = logger("credentials")


class AuthFiles(CredentialStore):
    """Several files: the first that knows somebody decides; a login is kept in the first."""

    def __init__(self, files: Sequence[DockerConfigCredentials]) -> None:
        self._files = files

    def get(self, server: str, repository: str = "") -> Credentials | None:
        found = (file.get(server, repository) for file in self._files)
        return next((credentials for credentials in found if credentials is not None), None)

    def put(self, server: str, credentials: Credentials) -> None:
        self._files[0].put(server, credentials)

    def remove(self, server: str) -> bool:
        """As promised, but in the first file only: the others belong to other tools."""
        was_known = self._files[0].remove(server)
        for file in self._files[1:]:
            if file.get(server) is not None:
                log.warning("another tool's login stays", server=server, file=str(file.path))
        return was_known


def usual_auth_files(
    environment: Mapping[str, str], uid: int, run: HelperRunner = run_here
) -> AuthFiles:
    """Return the files to look into: $REGISTRY_AUTH_FILE, Docker's, containers', the oldest.

    The source of the paths is containers-auth.json(5).
    """
    home = environment.get("HOME", "/")
    runtime = environment.get("XDG_RUNTIME_DIR")
    config = environment.get("XDG_CONFIG_HOME") or f"{home}/.config"
    paths = [
        docker_config_path(environment),
        Path(f"{runtime}/containers" if runtime else f"/run/containers/{uid}", "auth.json"),
        Path(config, "containers/auth.json"),
    ]
    if named := environment.get("REGISTRY_AUTH_FILE"):
        paths.insert(0, Path(named))
    files = [DockerConfigCredentials(path, run) for path in paths]
    return AuthFiles([*files, DockerConfigCredentials(Path(home, ".dockercfg"), run, legacy=True)])
