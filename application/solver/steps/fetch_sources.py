"""Runs FetchUrl and FetchGit: sources of ADD from web servers and git repositories."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Protocol

from img.application.cancellation import StepCanceled
from img.application.ports.git import GitCanceled
from img.application.ports.web import WebTransferCanceled
from img.application.solver.progress import StepProgress
from img.application.solver.results import Fetched, Result
from img.application.solver.steps.fetch_git import FetchRepository
from img.application.solver.steps.fetch_url import FetchFile
from img.application.solver.steps.step import SourceStep
from img.domain.dataclass import dataclass
from img.domain.errors import BuildError, ContextError, HostError, ImgError, RemoteError
from img.domain.graph.operations import FetchGit, FetchUrl
from img.domain.oci.chain import Layer


class SourceUnavailable(BuildError):
    """A source of ADD is not available; ``cause`` has the reason."""

    def __init__(self, cause: ImgError) -> None:
        super().__init__(cause.message, hint=cause.hint)
        self.exit_code = cause.exit_code


class CheckoutElsewhere(Protocol):
    """Checkouts by other machines."""

    def __call__(self, operation: FetchGit, commit: str, progress: StepProgress) -> Layer | None:
        """Return a layer with the files of the commit, None if it has to be fetched here.

        Raises ClusterError, StepCanceled.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchSources:
    """Downloads and checkouts for ADD."""

    url: FetchFile
    git: FetchRepository
    elsewhere: CheckoutElsewhere | None = None  # for repositories, unless this process does all

    def step(self, operation: FetchUrl | FetchGit) -> "FetchStep":
        """Return the step of ``operation``."""
        return FetchStep(parts=self, operation=operation)

    def __call__(self, operation: FetchUrl | FetchGit, progress: StepProgress) -> Fetched:
        """Return the files. Raises SourceUnavailable, StepCanceled, StateError."""
        try:
            with canceled_steps():
                if isinstance(operation, FetchUrl):
                    return self.url(operation, progress.cancelled, progress.transferred)
                if self.elsewhere is None:
                    return self.git(operation, progress.cancelled)
                elsewhere = partial(self.elsewhere, progress=progress)
                return self.git(operation, progress.cancelled, elsewhere)
        except (RemoteError, ContextError, HostError) as error:
            raise SourceUnavailable(error) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchStep(SourceStep):
    """One source."""

    parts: FetchSources
    operation: FetchUrl | FetchGit

    def solve(self, progress: StepProgress) -> Result:
        progress.started()
        fetched = self.parts(self.operation, progress)
        if fetched.cached:
            progress.cached()
        else:
            progress.done()
        return fetched.result


@contextmanager
def canceled_steps() -> Iterator[None]:
    """Raise StepCanceled in place of the errors of transfers that were given up."""
    try:
        yield
    except (GitCanceled, WebTransferCanceled):
        raise StepCanceled from None
