"""Fetches main contexts and Dockerfiles: from git, HTTP(S) and standard input."""

from collections.abc import Callable
from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING, BinaryIO, assert_never

from img.application.cancellation import current_cancellation
from img.application.ports.build_context import LARGEST_DOCKERFILE, ContextSource, FileTooLarge
from img.application.ports.executor import Cancellation
from img.application.ports.progress_sink import ProgressSink
from img.application.ports.scratch_space import ScratchSpace
from img.application.solver.build_group import BuildGroup
from img.application.solver.fetched_file import FetchedFile
from img.application.solver.part_of_context import PartOfContext
from img.application.solver.results import NOTHING, ContextFiles, Fetched, Result
from img.application.solver.steps.fetch_git import FetchRepository
from img.application.solver.steps.fetch_url import FetchFile, ProgressCallback
from img.domain.context_location import GitPlace, InputPlace, WebPlace
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import ContextError, ImgError
from img.domain.filesystem.file_name import FileName
from img.domain.graph.operations import FetchUrl
from img.domain.graph.remote_sources import checkout_of
from img.domain.progress import (
    VertexCached,
    VertexDone,
    VertexFailed,
    VertexStarted,
    VertexStatus,
)
from img.domain.url import redact_credentials

if TYPE_CHECKING:
    from img.domain.attestations.material import Material

_DOWNLOAD = FileName("context")  # the name of a downloaded file, as in BuildKit
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class MainContext:
    """A main context that was fetched, or read from standard input.

    ``dockerfile`` is set if the content is a Dockerfile alone.
    """

    files: Result
    dockerfile: bytes | None = None
    modified: int = 0  # Last-Modified of the server, seconds since 1970; 0: unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchContexts:
    """Contexts that are no directories of this machine; main ones are shown in the progress."""

    local: ContextSource
    git: FetchRepository
    web: FetchFile
    scratch: ScratchSpace
    progress: ProgressSink
    group: BuildGroup  # the builds at the same time

    def main(
        self,
        location: str,
        place: GitPlace | InputPlace | WebPlace,
        *,
        keep_git_dir: bool,
        commit_mtime: bool,
        title: str,
    ) -> MainContext:
        """Return the main context at ``location``; ``title`` is that of a download.

        Raises ContextError, FileTooLarge, BadGitReference, GitError, WebError.
        """
        cancelled = _cancellation()
        match place:
            case InputPlace():
                return self._from_input()
            case GitPlace(reference):
                checkout = checkout_of(reference, keep_git_dir=keep_git_dir)
                if commit_mtime:
                    checkout = replace(checkout, commit_mtime=True)
                source = f"[internal] load git source {redact_credentials(location)}"
                found = self._shown(source, location, lambda _: self.git(checkout, cancelled))
                return MainContext(files=found.result)
            case WebPlace(url, subdir):
                download = FetchUrl(url=url, filename=_DOWNLOAD)
                page = f"[internal] load {title}"
                found = self._shown(page, url, lambda show: self.web(download, cancelled, show))
                return self._unpacked(found.result, subdir)
            case _:
                assert_never(place)

    def named(self, place: WebPlace, cancelled: Cancellation) -> Result:
        """Return a named context: a directory of an archive, or a downloaded file.

        Raises ContextError, WebError.
        """
        operation = FetchUrl(url=place.url, filename=_DOWNLOAD)
        found = self.web(operation, cancelled, _ignore_progress).result
        return self._unpacked(found, place.subdir).files if place.subdir else found

    def dockerfile(self, url: str) -> "tuple[bytes, Material | None]":
        """Return the Dockerfile at ``url`` and its source. Raises WebError."""
        operation = FetchUrl(url=url, filename=_DOWNLOAD)
        title = f"[internal] load build definition from {redact_credentials(url)}"
        cancelled = _cancellation()
        found = self._shown(title, url, lambda show: self.web(operation, cancelled, show)).result
        assert isinstance(found, ContextFiles)
        return found.context.read_file(_DOWNLOAD) or b"", found.material

    def given_dockerfile(self) -> bytes:
        """Return the Dockerfile from standard input. Raises FileTooLarge."""
        return _bounded(self.local.standard_input(), "-")

    def _from_input(self) -> MainContext:
        self.web.guard.local("context")
        content = self._spooled(self.local.standard_input())
        context = self.local.open_archive(content)
        if context is not None:
            return MainContext(files=ContextFiles(context=context))
        content.seek(0)
        return MainContext(files=NOTHING, dockerfile=_bounded(content, "-"))

    def _unpacked(self, found: Result, subdir: str) -> MainContext:
        """Return the directory ``subdir`` of a downloaded archive, or the file that is none."""
        assert isinstance(found, ContextFiles)
        download = found.context
        modified = download.modified if isinstance(download, FetchedFile) else 0
        with download.open(_DOWNLOAD) as content:
            context = self.local.open_archive(content)
            if context is not None:
                if subdir:
                    context = PartOfContext.of(context, subdir)
                files = ContextFiles(context=context, material=found.material)
                return MainContext(files=files, modified=modified)
            if subdir:
                raise ContextError(f"the download is no archive that has a directory {subdir}")
            content.seek(0)
            text = _bounded(content, "Dockerfile")
            return MainContext(files=found, dockerfile=text, modified=modified)

    def _spooled(self, stream: BinaryIO) -> BinaryIO:
        """Return ``stream`` as a seekable file."""
        spool = self.scratch.new()
        while chunk := stream.read(_CHUNK):
            spool.write(chunk)
        spool.seek(0)
        return spool

    def _shown(
        self, title: str, location: str, fetch: Callable[[ProgressCallback], Fetched]
    ) -> Fetched:
        """Fetch what is at ``location`` before the build begins, and show it in the progress."""

        def on_progress(current: int, total: int) -> None:
            self.progress.emit(
                VertexStatus(vertex=title, item="transferring", current=current, total=total)
            )

        self.progress.emit(VertexStarted(vertex=title, name=title))
        try:
            with self.group.step(Digest.of(f"fetch {location}".encode()), _cancellation()):
                found = fetch(on_progress)
        except ImgError as error:
            self.progress.emit(VertexFailed(vertex=title, message=error.message))
            raise
        if found.cached:
            self.progress.emit(VertexCached(vertex=title, name=title))
        else:
            self.progress.emit(VertexDone(vertex=title))
        return found


def _cancellation() -> Cancellation:
    return current_cancellation() or Event()


def _ignore_progress(_current: int, _total: int) -> None:
    """Ignore the progress."""


def _bounded(content: BinaryIO, path: str) -> bytes:
    """Return the whole content of a stream as a Dockerfile. Raises FileTooLarge."""
    text = content.read(LARGEST_DOCKERFILE + 1)
    if len(text) > LARGEST_DOCKERFILE:
        raise FileTooLarge(path)
    return text
