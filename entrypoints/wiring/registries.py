"""Wiring of registries: the client, its mirrors, and credentials; caches on other servers."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from img.entrypoints.lazy import lazy, lazy_imports
from img.entrypoints.wiring.injection import Wiring, attributes_of, providers, select
from img.entrypoints.wiring.setup import Setup

with lazy_imports(__name__):
    from img.adapters.credential_store.auth_files import usual_auth_files
    from img.adapters.credential_store.ci_variables import CiVariables
    from img.adapters.credential_store.containers_auth import ContainersAuthCredentials
    from img.adapters.registry.connections import Access
    from img.adapters.registry.contents import OrasRegistryContents
    from img.adapters.registry.mirrored import MirroredRegistry
    from img.adapters.registry.oras import OrasRegistry
    from img.adapters.registry.registries_conf import read_registry_rules
    from img.adapters.registry.trust import trust_in
    from img.adapters.remote_cache.opened import OpenedRemoteCaches
    from img.application.usecases.login import Login, Logout
    from img.application.usecases.registry_contents import (
        ListReferrers,
        ListRepositories,
        ListTags,
    )
    from img.application.usecases.remove_remote import RemoveRemoteImage

if TYPE_CHECKING:
    from img.adapters.registry.trust import Trust
    from img.application.ports.credential_store import CredentialStore
    from img.application.ports.registry import Registry
    from img.domain.registries import RegistryRules
    from img.entrypoints.settings import RegistryAccess


_OF_KANIKO = Path("/kaniko/.docker/config.json")  # where its pods mount the file


def _docker_credentials(setup: Setup) -> CredentialStore:
    files = _credential_files(setup)
    more = setup.settings.access.more
    if more is None or not (more.variables or more.gitlab):
        return files
    return CiVariables(files, os.environ, kaniko=more.variables, gitlab=more.gitlab)


def _credential_files(setup: Setup) -> CredentialStore:
    run_helper = setup.host.run_helper
    if (file := setup.settings.access.auth_file) is not None:
        return ContainersAuthCredentials(file, run=run_helper)
    more = () if setup.settings.access.more is None else (_OF_KANIKO,)
    return usual_auth_files(os.environ, setup.host.user_id, run=run_helper, more=more)


def _rules(access: RegistryAccess) -> Callable[[], RegistryRules]:
    """Return a function that reads the configuration of registries once, when it is called."""

    def read() -> RegistryRules:
        rules = read_registry_rules(os.environ)
        return rules if access.more is None else rules.merged(access.more.rules)

    return functools.cache(read)


def _trust(access: RegistryAccess) -> Trust | None:
    """Return the certificates of the command line and the usual ones, None for the usual ones."""
    if access.more is None or not access.more.certificates:
        return None
    return trust_in(access.more.certificates, os.environ)


def _is_insecure(
    access: RegistryAccess, rules: Callable[[], RegistryRules]
) -> Callable[[str], bool]:
    return lambda name: access.is_insecure(name) or rules().is_insecure(name)


def _oras(
    credentials: CredentialStore,
    insecure: Callable[[str], bool],
    rules: Callable[[], RegistryRules],
    access: RegistryAccess,
) -> Registry:
    registry = OrasRegistry(credentials=credentials, insecure=insecure, trust=_trust(access))
    return MirroredRegistry(registry, rules)


def _contents(
    credentials: CredentialStore,
    insecure: Callable[[str], bool],
    rules: Callable[[], RegistryRules],
) -> OrasRegistryContents:
    access = Access(credentials=credentials, insecure=insecure)
    return OrasRegistryContents(access, home=lambda name: rules().push_place(name))


class Registries(Wiring):
    """Registries, and the credentials for them; caches on other servers."""

    def __init__(self, setup: Setup) -> None:
        super().__init__()
        given = attributes_of(setup)
        self.credentials: providers.Provider[CredentialStore] = select(
            given.settings.credentials, docker=providers.Singleton(lazy(_docker_credentials), setup)
        )
        self.rules = providers.Singleton(_rules, given.settings.access)
        self.insecure = providers.Singleton(_is_insecure, given.settings.access, self.rules)
        self.registry: providers.Provider[Registry] = select(
            given.settings.registry,
            oras=providers.Singleton(
                lazy(_oras),
                self.credentials,
                self.insecure,
                self.rules,
                given.settings.access,
            ),
        )
        self.contents = providers.Singleton(_contents, self.credentials, self.insecure, self.rules)
        self.remote_caches = providers.Singleton(lazy(OpenedRemoteCaches), os.environ)

        self.list_tags = providers.Factory(ListTags, contents=self.contents)
        self.list_repositories = providers.Factory(ListRepositories, contents=self.contents)
        self.list_referrers = providers.Factory(
            ListReferrers, registry=self.registry, contents=self.contents
        )
        self.remove_remote_image = providers.Factory(RemoveRemoteImage, contents=self.contents)
        self.login = providers.Factory(Login, registry=self.registry, credentials=self.credentials)
        self.logout = providers.Factory(Logout, credentials=self.credentials)
