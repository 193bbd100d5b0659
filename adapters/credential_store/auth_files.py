"""The credential files of docker, podman, buildah and skopeo."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from img.adapters.credential_store.containers_auth import (
    ContainersAuthCredentials,
    DockercfgCredentials,
)
from img.adapters.credential_store.docker_config import (
    DockerAuthVariable,
    DockerConfigCredentials,
    docker_config_path,
)
from img.adapters.linux.outsider import HelperRunner, run_here
from img.application.log import logger
from img.application.ports.credential_store import Credentials, CredentialStore

log = logger("credentials")


class AuthFiles(CredentialStore):
    """Several files: the first one with a match decides; a login is stored in the first.

    ``before`` is asked first, and never changed.
    """

    def __init__(
        self,
        files: Iterable[DockerConfigCredentials],
        before: Iterable[DockerConfigCredentials] = (),
    ) -> None:
        self._files = tuple(files)
        self._all = (*before, *self._files)

    def get(self, server: str, repository: str = "") -> Credentials | None:
        found = (file.get(server, repository) for file in self._all)
        return next((credentials for credentials in found if credentials is not None), None)

    def put(self, server: str, credentials: Credentials) -> None:
        self._files[0].put(server, credentials)

    def remove(self, server: str) -> bool:
        """Remove a login, from the first file only: the others belong to other tools."""
        was_known = self._files[0].remove(server)
        for file in self._files[1:]:
            if file.get(server) is not None:
                log.warning("another tool's login stays", server=server, file=str(file.path))
        return was_known


def usual_auth_files(
    environment: Mapping[str, str],
    uid: int,
    run: HelperRunner = run_here,
    more: Iterable[Path] = (),
) -> AuthFiles:
    """Return the files in use: $REGISTRY_AUTH_FILE, Docker's, containers', the oldest, ``more``.

    The text of $DOCKER_AUTH_CONFIG is asked before them. ``uid`` is the user's. The source of the
    paths is containers-auth.json(5).
    """
    home = environment.get("HOME", "/")
    runtime = environment.get("XDG_RUNTIME_DIR")
    config = environment.get("XDG_CONFIG_HOME") or f"{home}/.config"
    named = environment.get("REGISTRY_AUTH_FILE")
    others = [
        Path(f"{runtime}/containers" if runtime else f"/run/containers/{uid}", "auth.json"),
        Path(config, "containers/auth.json"),
    ]
    files: list[DockerConfigCredentials] = [
        *([ContainersAuthCredentials(Path(named), run)] if named else []),
        DockerConfigCredentials(docker_config_path(environment), run),
    ]
    # Some of these are guesses: an unreadable file there belongs to another user.
    files += [ContainersAuthCredentials(path, run) for path in others if os.access(path, os.R_OK)]
    oldest = Path(home, ".dockercfg")
    if os.access(oldest, os.R_OK):
        files.append(DockercfgCredentials(oldest, run))
    files += [DockerConfigCredentials(path, run) for path in more if os.access(path, os.R_OK)]
    text = environment.get("DOCKER_AUTH_CONFIG")
    return AuthFiles(files, before=[DockerAuthVariable(text, run)] if text else [])
