"""Repositories of git."""

from abc import abstractmethod
from contextlib import AbstractContextManager
from dataclasses import field
from typing import Protocol

from img.application.ports.build_context import BuildContext
from img.application.ports.executor import Cancellation
from img.domain.dataclass import dataclass
from img.domain.errors import HostError, RemoteError


class GitError(RemoteError):
    """A repository that cannot be reached, or has not what is wanted."""


class RefNotFound(GitError):
    """A branch, tag or commit that the repository has not."""

    def __init__(self, remote: str, ref: str) -> None:
        super().__init__(f"repository {remote} does not contain ref {ref}")
        self.ref = ref


class GitCanceled(GitError):
    """Work that was given up because somebody asked for it."""

    def __init__(self) -> None:
        super().__init__("context canceled")


class GitUnavailable(HostError):
    """This machine has no git."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GitAccess:
    """What opens a repository that is not public."""

    authorization: str = field(default="", repr=False)  # value of the header, for http(s)
    agent: str = ""  # path of an SSH agent's socket


@dataclass(frozen=True, slots=True, kw_only=True)
class GitCommit:
    """A commit, and the full name of the ref that leads to it, "" if it was named itself."""

    name: str  # hex
    ref: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GitCheckout:
    """The files that are wanted of a repository."""

    remote: str
    commit: GitCommit
    subdir: str = ""  # clean; only what is in there
    keep_git_dir: bool = False  # the repository itself comes along as .git, if subdir is ""
    submodules: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class GitFiles:
    """Files of a commit, as a context; modes are 0644 or 0755."""

    files: BuildContext
    committed: int  # seconds since 1970


class GitRepositories(Protocol):
    """Repositories by http(s), ssh and git's own protocol; used by several threads.

    Neither the user's configuration nor the system's has a say. What a repository says of
    itself is not trusted: no hooks run, no other protocol is spoken. Names and passwords of URLs
    are in no message. All methods raise GitError, GitUnavailable, and GitCanceled soon after
    ``cancelled`` is set.
    """

    @abstractmethod
    def commit_of(
        self, remote: str, ref: str, access: GitAccess, cancelled: Cancellation
    ) -> GitCommit:
        """Return the commit that ``ref`` stands for now; a branch goes before a tag of its name.

        "" is the default branch. The whole name of a commit is taken as it is, without asking.
        Raises RefNotFound.
        """

    @abstractmethod
    def checkout(
        self, wanted: GitCheckout, access: GitAccess, cancelled: Cancellation
    ) -> AbstractContextManager[GitFiles]:
        """Enter with the files; nothing of them is left after."""
