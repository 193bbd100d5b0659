"""Checks of small Dockerfiles: ``a_check("FROM scratch", ...)``."""

from collections.abc import Iterable, Mapping

from img.adapters.build_context.memory import MemoryContext
from img.adapters.dockerfile_parser.dockerfile_parse import DockerfileParseParser
from img.adapters.state_lock.memory import MemoryStateLock
from img.application.planning.resolve import ResolveBases, ResolvedBase
from img.application.ports.build_context import BuildContext
from img.application.ports.context_source import ContextSource, DockerfileText
from img.application.usecases.check import (
    CheckDockerfile,
    CheckedDockerfile,
    ListedTargets,
    ListTargets,
    OutlineDockerfile,
    OutlinedDockerfile,
    PlanStages,
)
