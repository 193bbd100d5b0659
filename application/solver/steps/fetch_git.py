"""The files of a git commit, as a layer."""

from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import field, replace
from functools import partial

from img.application.layers.trees import Trees
from img.application.ports.blob_store import BlobStore
from img.application.ports.build_context import BuildContext
from img.application.ports.cache_store import CacheRecord
from img.application.ports.clock import Clock
from img.application.ports.executor import Cancellation
from img.application.ports.git import (
    GitAccess,
    GitCheckout,
    GitError,
    GitFiles,
    GitRepositories,
)
from img.application.ports.layer_archive import LayerArchive, PackedEntry
from img.application.ports.secret_source import SecretSource
from img.application.solver.lookup import Lookup
from img.application.solver.results import Fetched, Stack
from img.application.transfer.pins import Pins
from img.application.transfer.source_guard import NoGuard, SourceGuard
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.filesystem.entry import FILE
from img.domain.git_commit import GitCommit
from img.domain.git_reference import GitUrl, NotGit
from img.domain.graph.cache_key import definition_key
from img.domain.graph.operations import FetchGit
from img.domain.oci.chain import Layer
from img.domain.url import redact_credentials

Checkout = Callable[[FetchGit, str], Layer | None]
"""Returns a layer with the files of a commit, None if it has to be fetched here."""

_AGENT = "default"
_SECOND = 10**9


class CommitMismatch(GitError):
    """A ref does not point to the commit of --checksum (message: BuildKit's)."""

    def __init__(self, expected: str, actual: str) -> None:
        super().__init__(f"expected checksum to match {expected}, got {actual}")
        self.expected = expected
        self.actual = actual


def _nowhere(_operation: FetchGit, _commit: str) -> None:
    """Leave the checkout to this machine."""


@dataclass(frozen=True, slots=True)
class HostSecrets:
    """Credentials for one host, given for a definition there; RUN steps do not get them."""

    host: str  # in lower case, with the port
    secrets: SecretSource


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchRepository:
    """Files of commits, fetched unless they are stored."""

    git: GitRepositories
    secrets: SecretSource
    archive: LayerArchive
    blobs: BlobStore
    trees: Trees
    lookup: Lookup
    clock: Clock
    pins: Pins
    of_host: HostSecrets | None = None
    guard: SourceGuard = field(default_factory=NoGuard)

    def __call__(
        self, operation: FetchGit, cancelled: Cancellation, elsewhere: Checkout = _nowhere
    ) -> Fetched:
        """Return the files as a stack of one layer, with a key of the commit.

        ``elsewhere`` is asked for those of public repositories. Raises GitError, GitUnavailable,
        ContextError, NotLocked, PolicyViolated.
        """
        operation = self.guard.checkout(operation, self.pins)
        with self._access(operation.remote) as access:
            commit = self._commit(operation, access, cancelled)
            if not commit.has_checksum(operation.checksum):
                actual = f"{commit.tag} or {commit.name}" if commit.tag else commit.name
                raise CommitMismatch(operation.checksum, actual)
            key = _key(operation, commit)
            record = self.lookup(key)
            cached = record is not None
            if record is None:
                layer = elsewhere(operation, commit.name) if _is_public(operation, access) else None
                if layer is None:
                    wanted = _wanted(operation, commit)
                    with self.git.checkout(wanted, access, cancelled) as found:
                        layer = self._packed(operation, found)
                record = self._record(operation, commit, layer)
                self.lookup.remember(record, key)
        from img.domain.attestations.material import checkout_material  # few builds fetch

        layers = (record.layer,) if record.layer else ()
        stack = Stack(
            key=key,
            layers=layers,
            own=record.layer,
            created=record.created,
            dated=operation.commit_mtime,
            material=checkout_material(operation.remote, operation.ref, commit.name),
        )
        return Fetched(result=stack, cached=cached)

    def commit_of(self, operation: FetchGit, cancelled: Cancellation) -> GitCommit:
        """Return the commit without its files. Raises GitError, GitUnavailable, NotLocked."""
        with self._access(operation.remote) as access:
            return self._commit(operation, access, cancelled)

    def _commit(self, operation: FetchGit, access: GitAccess, cancelled: Cancellation) -> GitCommit:
        remote, ref = operation.remote, operation.ref
        commit = self.pins.commit(remote, ref)
        if commit is None:
            commit = self.git.commit_of(remote, ref, access, cancelled)
        self.pins.note_commit(remote, ref, commit)
        return commit

    @contextmanager
    def _access(self, remote: str) -> Iterator[GitAccess]:
        url = _url_of(remote)
        host = url.host if url else ""
        if url is None or url.scheme != "ssh":
            found = (_authorization(source, host) for source in self._sources(host))
            yield GitAccess(authorization=next(filter(None, found), ""))
            return
        with ExitStack() as stack:
            sockets = (
                stack.enter_context(source.agent(_AGENT, mode=0o600, uid=0, gid=0))
                for source in self._sources(host)
            )
            yield GitAccess(agent=next(filter(None, sockets), ""))

    def _sources(self, host: str) -> Iterator[SecretSource]:
        yield self.secrets
        if self.of_host is not None and host.lower() == self.of_host.host:
            yield self.of_host.secrets

    def _packed(self, operation: FetchGit, found: GitFiles) -> Layer:
        mtime = found.committed * _SECOND if operation.commit_mtime else None
        packed = self.archive.pack(_entries(found.files, mtime), self.blobs.writer())
        self.trees.indexes.put(packed.layer.diff_id, packed.index)
        return packed.layer

    def _record(self, operation: FetchGit, commit: GitCommit, layer: Layer) -> CacheRecord:
        remote = redact_credentials(operation.remote)
        return CacheRecord(
            layer=layer,
            created=self.clock.now(),
            description=f"checkout of {remote}#{commit.name[:12]}",
        )


def _is_public(operation: FetchGit, access: GitAccess) -> bool:
    """Return whether the repository is read without credentials, in the URL or beside it."""
    url = _url_of(operation.remote)
    given = access.authorization or access.agent
    return (
        url is not None
        and url.scheme != "ssh"
        and not given
        and redact_credentials(operation.remote) == operation.remote
    )


def _authorization(secrets: SecretSource, host: str) -> str:
    """Return the header (BuildKit source/git, "authSecretNames"):

    that of the host has precedence.
    """
    for suffix in (f".{host}", ""):
        if (header := secrets.secret(f"GIT_AUTH_HEADER{suffix}")) is not None:
            return header.decode("utf-8", "surrogateescape").strip()
        if (token := secrets.secret(f"GIT_AUTH_TOKEN{suffix}")) is not None:
            return f"basic {b64encode(b'x-access-token:' + token.strip()).decode()}"
    return ""


def _key(operation: FetchGit, commit: GitCommit) -> Digest:
    """Return the key of the files of a commit; only a kept .git has the remote and the ref."""
    keep = operation.keep_git_dir and not operation.subdir
    remote = redact_credentials(operation.remote) if keep else ""
    ref = str(commit) if keep else commit.name
    return definition_key(replace(operation, remote=remote, ref=ref, checksum=""), ())


def _wanted(operation: FetchGit, commit: GitCommit) -> GitCheckout:
    return GitCheckout(
        remote=operation.remote,
        commit=commit,
        subdir=operation.subdir,
        keep_git_dir=operation.keep_git_dir,
        submodules=operation.submodules,
    )


def _entries(files: BuildContext, mtime: int | None) -> Iterator[PackedEntry]:
    entries = sorted(entry for entry in files.tree().walk("") if entry.path)
    for entry in entries:
        opener = partial(files.open, entry.path) if entry.kind == FILE and entry.size else None
        dated = entry if mtime is None else entry._replace(mtime=mtime)
        yield PackedEntry(entry=dated._replace(offset=-1), open=opener)


def _url_of(remote: str) -> GitUrl | None:
    try:
        return GitUrl.parse(remote)
    except NotGit:
        return None
