"""Git repositories, by the program git."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from img.adapters.git.command import Command, GitFailed
from img.adapters.storage.atomic_file import raise_state_error
from img.adapters.storage.own_files import make_directories
from img.application.ports.build_context import BuildContext
from img.application.ports.executor import Cancellation
from img.application.ports.git import (
    GitAccess,
    GitCheckout,
    GitFiles,
    GitRepositories,
    RefNotFound,
)
from img.domain.errors import ContextError
from img.domain.git_commit import GitCommit
from img.domain.git_reference import is_commit
from img.domain.url import redact_credentials

_PREFIX = "git-"
_ABANDONED_S = 24 * 3600  # a checkout of that age was left by a killed process


class GitProgram(GitRepositories):
    """Shallow checkouts, each in a separate directory below ``room``.

    ``open_directory`` makes a context of one.
    """

    def __init__(
        self,
        room: Path,
        open_directory: Callable[[Path], BuildContext],
        *,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._room = room
        self._open = open_directory
        self._environment = environment

    def commit_of(
        self, remote: str, ref: str, access: GitAccess, cancelled: Cancellation
    ) -> GitCommit:
        if is_commit(ref):
            return GitCommit(name=ref)
        with self._directory() as directory:
            git = self._command(directory, remote, access, cancelled)
            refs = _advertised(git, remote, ref or "HEAD")
        found = _chosen(refs, ref)
        if found is None:
            raise RefNotFound(redact_credentials(remote), ref or "HEAD")
        return found

    @contextmanager
    def checkout(
        self, wanted: GitCheckout, access: GitAccess, cancelled: Cancellation
    ) -> Iterator[GitFiles]:
        with self._directory() as directory:
            git = self._command(directory, wanted.remote, access, cancelled)
            tree = directory / "tree"
            committed = _Checkout(git, tree, wanted).run()
            context = self._open(_inside(tree, wanted.subdir))
            try:
                yield GitFiles(files=context, committed=committed)
            finally:
                close = getattr(context, "close", None)
                if close is not None:
                    close()

    def _command(
        self, directory: Path, remote: str, access: GitAccess, cancelled: Cancellation
    ) -> Command:
        return Command(
            home=directory,
            remote=remote,
            access=access,
            cancelled=cancelled,
            environment=self._environment,
        )

    @contextmanager
    def _directory(self) -> Iterator[Path]:
        import shutil
        import tempfile

        try:
            make_directories(str(self._room))
            _sweep(self._room)
            directory = tempfile.mkdtemp(prefix=_PREFIX, dir=self._room)
        except OSError as error:
            raise_state_error(error, str(self._room))
        try:
            yield Path(directory)
        finally:
            shutil.rmtree(directory, ignore_errors=True)


class _Checkout:
    """The checkout of one repository."""

    def __init__(self, git: Command, tree: Path, wanted: GitCheckout) -> None:
        self._git = git
        self._tree = tree
        self._wanted = wanted
        self._commit = wanted.commit.name

    def run(self) -> int:
        """Fill the directory; return the time of the commit, in seconds since 1970."""
        # Without the template, which contains hooks.
        self._git("init", "--quiet", "--template=", str(self._tree))
        self._run("remote", "add", "origin", self._wanted.remote)
        self._fetch()
        self._run("checkout", "--quiet", "--force", "--detach", self._commit)
        if self._wanted.submodules and (self._tree / ".gitmodules").exists():
            self._fetch_submodules()
        committed = int(self._run("show", "--no-patch", "--format=%ct", self._commit))
        if self._wanted.keep_git_dir and not self._wanted.subdir:
            self._clean()
        else:
            _remove_git_directories(self._tree)
        return committed

    def _run(self, *arguments: str) -> str:
        return self._git(*arguments, directory=self._tree)

    def _fetch(self) -> None:
        ref = self._wanted.commit.ref
        if ref:
            with suppress(GitFailed):  # a ref of a lock file may be gone
                self._git.shallow(
                    "fetch", "--no-tags", "--update-head-ok", "origin", f"+{ref}:{_local(ref)}",
                    directory=self._tree,
                )  # fmt: skip
        if self._is_here():
            return
        self._fetch_commit()
        if ref:
            self._run("update-ref", _local(ref), self._commit)

    def _fetch_commit(self) -> None:
        """Fetch the commit itself: it was requested, or its ref has changed since the lookup."""
        with suppress(GitFailed):
            self._git.shallow("fetch", "--no-tags", "origin", self._commit, directory=self._tree)
        if self._is_here():
            return
        # A server may refuse to send commits by their names: then fetch everything.
        unshallow = ["--unshallow"] if (self._tree / ".git" / "shallow").exists() else []
        self._run("fetch", "--tags", *unshallow, "origin", "+refs/heads/*:refs/remotes/origin/*")
        if not self._is_here():
            raise RefNotFound(redact_credentials(self._wanted.remote), self._commit)

    def _is_here(self) -> bool:
        try:
            self._run("cat-file", "-e", f"{self._commit}^{{commit}}")
        except GitFailed:
            return False
        return True

    def _fetch_submodules(self) -> None:
        self._git.shallow(
            "submodule", "--quiet", "update", "--init", "--recursive", directory=self._tree
        )

    def _clean(self) -> None:
        """Remove secrets and times of this checkout from the repository, which is kept."""
        shown = redact_credentials(self._wanted.remote)
        self._run("remote", "set-url", "origin", shown)
        self._run("reflog", "expire", "--all", "--expire=now")
        (self._tree / ".git" / "FETCH_HEAD").unlink(missing_ok=True)


def _local(ref: str) -> str:
    return "refs/remotes/origin/HEAD" if ref == "HEAD" else ref


def _advertised(git: Command, remote: str, ref: str) -> dict[str, str]:
    """Return the refs of ``remote`` with names that end in ``ref``, and the objects that they name.

    "HEAD" may bring the branch that it points to.
    """
    refs: dict[str, str] = {}
    answer = git("ls-remote", "--symref", "--", remote, ref, f"{ref}^{{}}")
    for line in answer.splitlines():
        value, _, name = line.partition("\t")
        if value.startswith("ref: "):
            refs.setdefault(value.removeprefix("ref: "), "")
        else:
            refs[name] = value
    return refs


def _chosen(refs: Mapping[str, str], ref: str) -> GitCommit | None:
    """Return the commit of ``ref``: branches before tags, as in ``git checkout``."""
    if not ref:
        branch = next((name for name, value in refs.items() if not value), "")
        head = refs.get("HEAD", "")
        return GitCommit(name=head, ref=branch or "HEAD") if head else None
    short = ref.removeprefix("refs/")
    for name in (ref, f"refs/heads/{ref}", f"refs/tags/{ref}", f"refs/{short}"):
        # The commit of an annotated tag is listed under its name with "^{}".
        commit, listed = refs.get(f"{name}^{{}}", ""), refs.get(name, "")
        if listed and (name.startswith("refs/") or name == "HEAD"):
            return GitCommit(name=commit or listed, ref=name, tag=listed if commit else "")
    return None


def _inside(tree: Path, subdir: str) -> Path:
    """Return the directory ``subdir``; links in it may not lead out of the repository."""
    if not subdir:
        return tree
    root = os.path.realpath(tree)
    path = os.path.realpath(os.path.join(root, subdir))
    if not path.startswith(f"{root}/") or not os.path.isdir(path):
        raise ContextError(f"failed to open subdir {subdir}: no such directory in the repository")
    return Path(path)


def _remove_git_directories(tree: Path) -> None:
    """Remove .git of the repository, and those of its submodules, which are files."""
    import shutil

    shutil.rmtree(tree / ".git")
    for directory, names, files in os.walk(tree):
        if ".git" in files:
            os.unlink(os.path.join(directory, ".git"))
        if ".git" in names:
            names.remove(".git")
            shutil.rmtree(os.path.join(directory, ".git"))


def _sweep(room: Path) -> None:
    import shutil

    now = time.time()
    with os.scandir(room) as found:
        old = [
            each.path
            for each in found
            if each.name.startswith(_PREFIX) and now - each.stat().st_mtime > _ABANDONED_S
        ]
    for path in old:
        shutil.rmtree(path, ignore_errors=True)
