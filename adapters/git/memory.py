"""Git repositories in memory, for tests."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field

from img.application.ports.build_context import BuildContext
from img.application.ports.executor import Cancellation
from img.application.ports.git import (
    GitAccess,
    GitCanceled,
    GitCheckout,
    GitError,
    GitFiles,
    GitRepositories,
    RefNotFound,
)
from img.domain.dataclass import dataclass
from img.domain.errors import ContextError
from img.domain.git_commit import GitCommit
from img.domain.git_reference import is_commit
from img.domain.url import redact_credentials


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryRepository:
    """Commits by full ref (the first is the default), and the files of each by directory."""

    refs: Mapping[str, str]
    files: Mapping[tuple[str, str], BuildContext]  # by commit and subdir
    committed: int = 0
    authorization: str = ""  # the required one, if any


@dataclass(slots=True)
class MemoryGit(GitRepositories):
    """Serves ``repositories`` by remote; ``checkouts`` records the requests."""

    repositories: Mapping[str, MemoryRepository] = field(default_factory=dict)
    checkouts: list[GitCheckout] = field(default_factory=list)

    def commit_of(
        self, remote: str, ref: str, access: GitAccess, cancelled: Cancellation
    ) -> GitCommit:
        if is_commit(ref):
            return GitCommit(name=ref)
        refs = self._repository(remote, access, cancelled).refs
        names = [ref, f"refs/heads/{ref}", f"refs/tags/{ref}"] if ref else list(refs)
        for name in names:
            if name in refs:
                return GitCommit(name=refs[name], ref=name)
        raise RefNotFound(redact_credentials(remote), ref)

    @contextmanager
    def checkout(
        self, wanted: GitCheckout, access: GitAccess, cancelled: Cancellation
    ) -> Iterator[GitFiles]:
        self.checkouts.append(wanted)
        repository = self._repository(wanted.remote, access, cancelled)
        if wanted.commit.name not in repository.refs.values():
            raise RefNotFound(redact_credentials(wanted.remote), wanted.commit.name)
        files = repository.files.get((wanted.commit.name, wanted.subdir))
        if files is None:
            raise ContextError(f"failed to open subdir {wanted.subdir}: no such directory")
        yield GitFiles(files=files, committed=repository.committed)

    def _repository(
        self, remote: str, access: GitAccess, cancelled: Cancellation
    ) -> MemoryRepository:
        if cancelled.is_set():
            raise GitCanceled
        repository = self.repositories.get(remote)
        if repository is None or repository.authorization != access.authorization:
            raise GitError(f"failed to fetch remote {redact_credentials(remote)}: not found")
        return repository
