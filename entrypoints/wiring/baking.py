"""Wiring of what reads bake definitions: before the state is opened, and without it."""

from __future__ import annotations

import os
from collections.abc import Callable

from img.adapters.clock.system import SystemClock
from img.adapters.definition_files.compose import read_compose
from img.adapters.definition_files.local import LocalDefinitionFiles
from img.adapters.definition_files.password_hash import hash_password
from img.application.ports.definition_files import DefinitionFiles
from img.application.usecases.read_bake import Fetch, ReadBakeDefinition


def definition_files() -> DefinitionFiles:
    """Return the files of this machine."""
    return LocalDefinitionFiles()


def read_bake_definition(
    files: DefinitionFiles, warn: Callable[[str], None], fetch: Fetch | None = None
) -> ReadBakeDefinition:
    """Return the use case; ``warn`` gets variables of compose files that are not set."""
    return ReadBakeDefinition(
        files=files,
        read_yaml=read_compose,
        clock=SystemClock(),
        random_bytes=os.urandom,
        hash_password=hash_password,
        warn=warn,
        fetch=fetch,
    )
