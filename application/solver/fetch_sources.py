"""Runs what brings files from elsewhere: FetchUrl, FetchGit."""

from collections.abc import Iterator
from contextlib import contextmanager

from img.application.cancellation import StepCanceled
from img.application.ports.executor import Cancellation
from img.application.ports.git import GitCanceled
from img.application.ports.web import WebTransferCanceled
from img.application.solver.fetch_git import FetchRepository
from img.application.solver.fetch_url import FetchFile, Told
from img.application.solver.results import Fetched
from img.domain.dataclass import dataclass
from img.domain.errors import BuildError, ContextError, HostError, ImgError, RemoteError
from img.domain.graph.operations import FetchGit, FetchUrl


class SourceUnavailable(BuildError):
    """A source of an ADD that could not be had; ``cause`` says why."""

    def __init__(self, cause: ImgError) -> None:
        super().__init__(cause.message, hint=cause.hint)
        self.exit_code = cause.exit_code


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchSources:
    """Fetches sources of ADD."""

    url: FetchFile
    git: FetchRepository

    def __call__(
        self, operation: FetchUrl | FetchGit, cancelled: Cancellation, told: Told
    ) -> Fetched:
        """Return the files. Raises SourceUnavailable, StepCanceled, StateError."""
        try:
            with canceled_steps():
                if isinstance(operation, FetchUrl):
                    return self.url(operation, cancelled, told)
                return self.git(operation, cancelled)
        except (RemoteError, ContextError, HostError) as error:
            raise SourceUnavailable(error) from error


@contextmanager
def canceled_steps() -> Iterator[None]:
    """Say of a transfer that was given up what is said of a step."""
    try:
        yield
    except (GitCanceled, WebTransferCanceled):
        raise StepCanceled from None
