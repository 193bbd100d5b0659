"""Contexts on this machine, with a record of the questions about them."""

import os
from collections.abc import Mapping
from pathlib import Path

from img.adapters.build_context.context_walk import Walk
from img.adapters.build_context.directory import DirectoryContext
from img.adapters.build_context.local import IGNORE_FILE, LocalContexts
from img.adapters.storage.trace_questions import IDENTITY, REAL, STAMP, WALK
from img.adapters.storage.trace_recorder import TraceRecorder, methods_of, stopping
from img.application.ports.build_context import (
    DOCKERFILES,
    BuildContext,
    ContextSource,
    Dockerfiles,
    DockerfileText,
)
from img.application.ports.file_digest_store import FileDigestStore
from img.application.ports.layer_archive import LayerArchive
from img.application.ports.scratch_space import ScratchSpace
from img.domain.dockerfile.ignore import IgnoreMatcher

Walks = Mapping[tuple[str, tuple[str, ...]], tuple[Walk, int]]
"""Walks with the time before each, by the directory and the ignore patterns."""


@stopping(methods_of(ContextSource, Dockerfiles))
class RecordedContexts(LocalContexts):
    """Contexts of which the Dockerfile, the ignore files and the walk are recorded.

    All else, such as standard input, stops the recording. More is recorded than LocalContexts
    reads: each name that the Dockerfile may have, and all directories on the way to it.
    """

    def __init__(
        self,
        known: FileDigestStore,
        archive: LayerArchive,
        scratch: ScratchSpace,
        recorder: TraceRecorder,
        walks: Walks,
    ) -> None:
        super().__init__(known, archive, scratch)
        self._recorder = recorder
        self._walks = walks

    def is_directory(self, location: str) -> bool:
        self._recorder.ask([IDENTITY, location])
        return super().is_directory(location)

    def dockerfile(self, location: str, file: str | None) -> DockerfileText:
        names = [os.path.join(location, name) for name in DOCKERFILES] if file is None else [file]
        for name in names:
            self._note_file(name)
            self._note_file(f"{name}.{IGNORE_FILE.lstrip('.')}")
        self._note_file(os.path.join(location, IGNORE_FILE))
        return super().dockerfile(location, file)

    def ignore_file(self, location: str) -> str | None:
        self._note_file(os.path.join(location, IGNORE_FILE))
        return super().ignore_file(location)

    def open(self, location: str, ignore: tuple[str, ...]) -> BuildContext:
        root = self._directory(location)
        self._recorder.ask([IDENTITY, root], [REAL, root])
        return RecordedDirectory(
            root, location, self._known, ignore, recorder=self._recorder, walks=self._walks
        )

    def _note_file(self, path: str) -> None:
        """Record what is at ``path``, which need not exist."""
        path = os.path.abspath(path)
        if os.path.islink(path):
            self._recorder.stop(f"{path} is a link")
        parents = [str(parent) for parent in Path(path).parents]
        self._recorder.ask(
            *([IDENTITY, parent] for parent in parents),
            [REAL, os.path.dirname(path)],
            [STAMP, path],
        )


@stopping(methods_of(BuildContext))
class RecordedDirectory(DirectoryContext):
    """A directory of which the fingerprint of its walk is recorded; reading stops the recording."""

    def __init__(
        self,
        root: str,
        name: str,
        known: FileDigestStore,
        ignore: tuple[str, ...],
        *,
        recorder: TraceRecorder,
        walks: Walks,
    ) -> None:
        matcher = IgnoreMatcher(ignore) if ignore else None
        super().__init__(Path(root), known=known, ignore=matcher, name=name, lasts=True)
        self._recorder = recorder
        self._question = [WALK, self._root, [*ignore]]
        if (before := walks.get((self._root, ignore))) is not None:
            self._take(*before)

    def fingerprint(self) -> str | None:
        fingerprint = super().fingerprint()
        if fingerprint is None:
            self._recorder.stop("files of the context have just changed")
        self._recorder.record(self._question, fingerprint)
        return fingerprint
