"""Wiring of the use cases that read Dockerfiles and definitions, and build nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from img.entrypoints.lazy import lazy, lazy_imports
from img.entrypoints.wiring.injection import Wiring, providers

with lazy_imports(__name__):
    from img.application.usecases.check import CheckDockerfile, ListTargets, OutlineDockerfile
    from img.application.usecases.fetch_definition import FetchDefinition
    from img.application.usecases.lock_build import LockBuild

if TYPE_CHECKING:
    from img.entrypoints.wiring.building import Building
    from img.entrypoints.wiring.storage import Storage


class Dockerfiles(Wiring):
    """Checks, outlines and locks of Dockerfiles; definitions of bake."""

    def __init__(self, storage: Storage, building: Building) -> None:
        super().__init__()
        self.fetch_definition = providers.Factory(
            lazy(FetchDefinition), contexts=building.contexts, lock=storage.lock
        )
        self.lock_build = providers.Factory(
            LockBuild,
            contexts=building.contexts,
            analyse=building.analyse,
            url=building.fetch_file,
            git=building.fetch_repository,
            pins=building.pins,
            lock=storage.lock,
        )
        self.check_dockerfile = providers.Factory(
            CheckDockerfile,
            dockerfiles=building.contexts,
            analyse=building.analyse,
            lock=storage.lock,
        )
        self.outline_dockerfile = providers.Factory(
            OutlineDockerfile,
            dockerfiles=building.contexts,
            analyse=building.analyse,
            lock=storage.lock,
        )
        self.list_targets = providers.Factory(
            ListTargets, dockerfiles=building.contexts, parser=building.parser
        )
