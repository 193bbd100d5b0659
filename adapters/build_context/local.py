"""Contexts that are on this machine."""

import os
import sys
from pathlib import Path
from typing import BinaryIO

from img.adapters.build_context.directory import DirectoryContext
from img.adapters.build_context.tarball import TarContext
from img.application.ports.build_context import BuildContext
from img.application.ports.context_source import ContextSource, DockerfileText
from img.application.ports.file_digest_store import FileDigestStore
from img.application.ports.layer_archive import LayerArchive
from img.application.ports.scratch_space import ScratchSpace
from img.domain.dockerfile.ignore import IgnoreMatcher
from img.domain.errors import ContextError

_STDIN = "-"


class LocalContexts(ContextSource):
    """Opens directories and archives, and Dockerfiles wherever they are."""

    def __init__(
        self, known: FileDigestStore, archive: LayerArchive, scratch: ScratchSpace
    ) -> None:
        self._known = known
        self._archive = archive
        self._scratch = scratch

    def is_directory(self, location: str) -> bool:
        return os.path.isdir(location)

    def dockerfile(self, location: str, file: str | None) -> DockerfileText:
        root = self._directory(location)
        if file == _STDIN:
            content = self.standard_input().read()
            return DockerfileText(name="-", content=content, ignore=_ignore(root, None))
        path = _default(root) if file is None else Path(file)
        return DockerfileText(name=path.name, content=_read(path), ignore=_ignore(root, path))

    def open(self, location: str, ignore: tuple[str, ...]) -> BuildContext:
        return DirectoryContext(
            self._directory(location),
            known=self._known,
            ignore=IgnoreMatcher(ignore) if ignore else None,
            name=location,
        )

    def open_archive(self, content: BinaryIO) -> BuildContext | None:
        return TarContext.of(content, self._archive, self._scratch)

    def standard_input(self) -> BinaryIO:
        return sys.stdin.buffer

    def read(self, path: str) -> bytes:
        return _read(Path(path))

    def _directory(self, location: str) -> Path:
        if not os.path.isdir(location):
            what = "is not a directory" if os.path.exists(location) else "not found"
            raise ContextError(f'unable to prepare context: path "{location}" {what}')
        return Path(location)


def _default(root: Path) -> Path:
    for name in ("Dockerfile", "dockerfile"):
        if (root / name).exists():
            return root / name
    return root / "Dockerfile"


def _ignore(root: Path, dockerfile: Path | None) -> str | None:
    candidates = [root / ".dockerignore"]
    if dockerfile is not None:
        candidates.insert(0, dockerfile.with_name(f"{dockerfile.name}.dockerignore"))
    for path in candidates:
        if path.is_file():
            return _read(path).decode("utf-8", "surrogateescape")
    return None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ContextError(
            f"failed to read dockerfile: open {path}: {reason}",
            hint="name it with -f" if isinstance(error, FileNotFoundError) else None,
        ) from None
