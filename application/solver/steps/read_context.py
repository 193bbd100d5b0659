"""Runs Scratch and ReadContext: no files at all, and the files of a build context."""

from img.application.ports.executor import Cancellation
from img.application.solver.progress import StepProgress
from img.application.solver.results import OpenContext, Result, Stack
from img.application.solver.steps.fetch_sources import canceled_steps
from img.application.solver.steps.step import SourceStep
from img.domain.dataclass import dataclass
from img.domain.graph.cache_key import definition_key
from img.domain.graph.operations import Scratch


@dataclass(frozen=True, slots=True)
class EmptyRoot(SourceStep):
    """FROM scratch."""

    operation: Scratch

    def known(self) -> Result:
        return Stack(key=definition_key(self.operation, ()))

    def solve(self, progress: StepProgress) -> Result:
        return self.known()


@dataclass(frozen=True, slots=True)
class ReadBuildContext(SourceStep):
    """The main context, with the name "", or a named one."""

    name: str
    contexts: OpenContext
    cancelled: Cancellation

    def known(self) -> Result | None:
        return None if self.name else self.contexts("", self.cancelled)

    def solve(self, progress: StepProgress) -> Result:
        """Return the files; progress shows only named contexts."""
        if not self.name:
            return self.contexts("", self.cancelled)
        progress.started()
        with canceled_steps():
            files = self.contexts(self.name, self.cancelled)
        progress.done()
        return files
