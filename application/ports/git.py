"""Git repositories."""

from abc import abstractmethod
from contextlib import AbstractContextManager
from dataclasses import field
from typing import Protocol

from img.application.ports.build_context import BuildContext
from img.application.ports.executor import Cancellation
from img.domain.dataclass import dataclass
from img.domain.errors import HostError, RemoteError
from img.domain.git_commit import GitCommit


class GitError(RemoteError):
    """A repository is not reachable, or a request to it failed."""


class RefNotFound(GitError):
    """The repository does not have the branch, tag or commit."""

    def __init__(self, remote: str, ref: str) -> None:
        super().__init__(f"repository {remote} does not contain ref {ref}")
        self.ref = ref


class GitCanceled(GitError):
    """A transfer was cancelled."""

    def __init__(self) -> None:
        super().__init__("context canceled")


class GitUnavailable(HostError):
    """The program git is not installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GitAccess:
    """Credentials for a repository that is not public."""

    authorization: str = field(default="", repr=False)  # value of the header, for http(s)
    agent: str = ""  # path of an SSH agent's socket


@dataclass(frozen=True, slots=True, kw_only=True)
class GitCheckout:
    """A selection of the files of a commit."""

    remote: str
    commit: GitCommit
    subdir: str = ""  # clean; only the files in it
    keep_git_dir: bool = False  # include the repository as .git, if subdir is ""
    submodules: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class GitFiles:
    """Files of a commit as a context; modes are 0644 or 0755."""

    files: BuildContext
    committed: int  # seconds since 1970


class GitRepositories(Protocol):
    """Repositories by HTTP(S), SSH and the git protocol; several threads may use them.

    The configuration of the user and of the system is ignored. Repositories are not trusted: no
    hooks run, no other protocols are used. Messages contain no names and passwords of URLs. All
    methods raise GitError, GitUnavailable, and GitCanceled soon after
    ``cancelled`` is set.
    """

    @abstractmethod
    def commit_of(
        self, remote: str, ref: str, access: GitAccess, cancelled: Cancellation
    ) -> GitCommit:
        """Return the commit that ``ref`` points to; a branch has precedence over a tag.

        "" is the default branch. The full hash of a commit is returned without a request.
        Raises RefNotFound.
        """

    @abstractmethod
    def checkout(
        self, wanted: GitCheckout, access: GitAccess, cancelled: Cancellation
    ) -> AbstractContextManager[GitFiles]:
        """Enter with the files, which are deleted at the end, also if img is interrupted."""
