"""The step of each operation."""

from collections.abc import Mapping, Sequence

from img.application.planning.resolve import ResolvedBase
from img.application.ports.executor import Cancellation
from img.application.solver.results import OpenContext, Result
from img.application.solver.steps.copy_files import CopyIntoLayer
from img.application.solver.steps.execute import ExecuteProcess
from img.application.solver.steps.fetch_sources import FetchSources
from img.application.solver.steps.make_directory import MakeDirectoryLayer
from img.application.solver.steps.pull_base import PullLayers
from img.application.solver.steps.read_context import EmptyRoot, ReadBuildContext
from img.application.solver.steps.step import SourceStep, Step
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.graph.operations import (
    CopyFiles,
    Exec,
    FetchGit,
    FetchUrl,
    MakeDirectory,
    PullBase,
    ReadContext,
    Scratch,
)
from img.domain.graph.vertex import Vertex


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildInputs:
    """The files that a build takes from outside, for one image of one platform.

    ``bases`` are found by manifest digest. The layers of those at ``eager`` positions are fetched
    at once, those of others when a step needs their files.
    """

    contexts: OpenContext
    bases: Mapping[Digest, ResolvedBase]
    eager: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeSteps:
    """A factory of steps, with a field for each kind of operation."""

    pull: PullLayers
    fetch: FetchSources
    copy: CopyIntoLayer
    make_directory: MakeDirectoryLayer
    execute: ExecuteProcess

    def __call__(
        self,
        position: int,
        vertex: Vertex,
        inputs: Sequence[Result],
        build: BuildInputs,
        cancelled: Cancellation,
    ) -> Step | SourceStep:
        """Return the step of the vertex at ``position``. Raises BuildError."""
        match vertex.operation:
            case Scratch() as operation:
                return EmptyRoot(operation)
            case PullBase() as operation:
                base, eager = build.bases[operation.manifest], position in build.eager
                return self.pull.step(operation, base, eager=eager)
            case ReadContext() as operation:
                return ReadBuildContext(operation.name, build.contexts, cancelled)
            case FetchUrl() | FetchGit() as operation:
                return self.fetch.step(operation)
            case CopyFiles() as operation:
                return self.copy.step(operation, inputs, anew=vertex.ignore_cache)
            case MakeDirectory() as operation:
                return self.make_directory.step(operation, inputs)
            case Exec() as operation:
                return self.execute.step(operation, inputs)
