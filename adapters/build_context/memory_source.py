"""A source of contexts in memory, for tests."""

from collections.abc import Mapping
from dataclasses import field
from io import BytesIO
from typing import BinaryIO

from img.adapters.build_context.memory import MemoryContext
from img.adapters.build_context.tarball import TarContext
from img.application.ports.build_context import (
    DOCKERFILES,
    BuildContext,
    ContextSource,
    DockerfileText,
)
from img.application.ports.layer_archive import LayerArchive
from img.application.ports.scratch_space import ScratchSpace
from img.domain.dataclass import dataclass
from img.domain.dockerfile.ignore import IgnoreMatcher
from img.domain.errors import ContextError


@dataclass(slots=True, kw_only=True)
class MemoryContexts(ContextSource):
    """Contexts by location: ``directories`` of files by path; ``others`` are other files."""

    archive: LayerArchive
    scratch: ScratchSpace
    directories: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)
    others: Mapping[str, bytes] = field(default_factory=dict)
    input: bytes = b""

    def is_directory(self, location: str) -> bool:
        return location in self.directories

    def dockerfile(self, location: str, file: str | None) -> DockerfileText:
        files = self._files(location)
        ignore = files.get(".dockerignore")
        if file == "-":
            return DockerfileText(name="-", content=self.input, ignore=_text(ignore))
        default = next((name for name in DOCKERFILES if name in files), DOCKERFILES[0])
        path = file or f"{location}/{default}"
        own = self._all().get(f"{path}.dockerignore", ignore)
        return DockerfileText(
            name=path.rpartition("/")[2], content=self.read(path), ignore=_text(own)
        )

    def open(self, location: str, ignore: tuple[str, ...]) -> BuildContext:
        excludes = IgnoreMatcher(ignore).hides
        files = self._files(location)
        return MemoryContext(
            {path: content for path, content in files.items() if not excludes(path)},
            excluded={path: content for path, content in files.items() if excludes(path)},
        )

    def open_archive(self, content: BinaryIO) -> BuildContext | None:
        return TarContext.of(content, self.archive, self.scratch)

    def standard_input(self) -> BinaryIO:
        return BytesIO(self.input)

    def read(self, path: str) -> bytes:
        try:
            return self._all()[path]
        except KeyError:
            raise ContextError(f"failed to read dockerfile: open {path}: not found") from None

    def _files(self, location: str) -> Mapping[str, bytes]:
        if location not in self.directories:
            raise ContextError(f'unable to prepare context: path "{location}" not found')
        return self.directories[location]

    def _all(self) -> Mapping[str, bytes]:
        inside = {
            f"{location}/{path}": content
            for location, files in self.directories.items()
            for path, content in files.items()
        }
        return {**inside, **self.others}


def _text(content: bytes | None) -> str | None:
    return None if content is None else content.decode()
