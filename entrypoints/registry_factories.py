"""Makes what talks to registries: the client, its mirrors, and who we are there."""

from __future__ import annotations  # so that types are not imported

import functools
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from img.application.ports.credential_store import CredentialStore
    from img.application.ports.registry import Registry
    from img.entrypoints.rootless import BuildHost
    from img.entrypoints.settings import RegistryAccess


def docker_credentials(host: BuildHost, access: RegistryAccess) -> CredentialStore:
    from img.adapters.credential_store.auth_files import usual_auth_files
    from img.adapters.credential_store.docker_config import DockerConfigCredentials

    if access.auth_file is not None:
        return DockerConfigCredentials(access.auth_file, run=host.run_helper)
    return usual_auth_files(os.environ, host.user_id, run=host.run_helper)


def oras(credentials: CredentialStore, access: RegistryAccess) -> Registry:
    from img.adapters.registry.mirrored import MirroredRegistry
    from img.adapters.registry.oras import OrasRegistry
    from img.adapters.registry.registries_conf import read_registry_rules

    rules = functools.cache(lambda: read_registry_rules(os.environ))

    def is_insecure(name: str) -> bool:
        return access.is_insecure(name) or rules().is_insecure(name)

    client = OrasRegistry(credentials=credentials, insecure=is_insecure)
    return MirroredRegistry(client, rules)
