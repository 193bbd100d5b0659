"""Makes what talks to registries: the client, its mirrors, and who we are there."""

from __future__ import annotations  # so that types are not imported

import functools
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from img.application.ports.credential_store import CredentialStore
    from img.application.ports.registry import Registry, RegistryContents
    from img.domain.registries import RegistryRules
    from img.entrypoints.rootless import BuildHost
    from img.entrypoints.settings import RegistryAccess


def docker_credentials(host: BuildHost, access: RegistryAccess) -> CredentialStore:
    from img.adapters.credential_store.auth_files import usual_auth_files
    from img.adapters.credential_store.containers_auth import ContainersAuthCredentials

    if access.auth_file is not None:
        return ContainersAuthCredentials(access.auth_file, run=host.run_helper)
    return usual_auth_files(os.environ, host.user_id, run=host.run_helper)


def rules() -> Callable[[], RegistryRules]:
    """Return what reads the registries' configuration once, when it is first needed."""

    def read() -> RegistryRules:
        from img.adapters.registry.registries_conf import read_registry_rules

        return read_registry_rules(os.environ)

    return functools.cache(read)


def oras(
    credentials: CredentialStore, access: RegistryAccess, rules: Callable[[], RegistryRules]
) -> Registry:
    from img.adapters.registry.mirrored import MirroredRegistry
    from img.adapters.registry.oras import OrasRegistry

    client = OrasRegistry(credentials=credentials, insecure=_insecure(access, rules))
    return MirroredRegistry(client, rules)


def contents(
    credentials: CredentialStore, access: RegistryAccess, rules: Callable[[], RegistryRules]
) -> RegistryContents:
    from img.adapters.registry.connections import Access
    from img.adapters.registry.contents import OrasRegistryContents

    how = Access(credentials=credentials, insecure=_insecure(access, rules))
    return OrasRegistryContents(how, home=lambda name: rules().push_place(name))


def _insecure(access: RegistryAccess, rules: Callable[[], RegistryRules]) -> Callable[[str], bool]:
    return lambda name: access.is_insecure(name) or rules().is_insecure(name)
