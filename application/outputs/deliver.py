"""All outputs of a build."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from img.application.outputs.files import WriteFiles
from img.application.outputs.images import BuiltImages, DeliverImages
from img.application.outputs.solved import BuiltImage, Solved
from img.application.ports.progress_sink import ProgressSink
from img.domain.dataclass import dataclass
from img.domain.errors import ImgError
from img.domain.outputs import (
    ArchiveOutput,
    CacheOnly,
    DiskImageOutput,
    FilesOutput,
    ImageOutput,
    Output,
)
from img.domain.progress import StepsPlanned, VertexDone, VertexFailed, VertexStarted, VertexWarning

if TYPE_CHECKING:  # few builds write one
    from img.application.outputs.disk_images import WriteDiskImage


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverOutputs:
    """Delivery to files first, then to registries, and of names in the store last."""

    images: DeliverImages
    files: WriteFiles
    disk_images: "WriteDiskImage"
    progress: ProgressSink

    def __call__(self, built: Sequence[Solved], outputs: Sequence[Output]) -> BuiltImage | None:
        """Write the outputs; return the image of the last one that is an image, else None.

        After an error no further output is written; complete ones stay. Raises OutputNotWritten,
        RegistryError, UsageError …
        """
        images = self.images.of_build(built)
        results: dict[int, BuiltImage] = {}
        for number, output in enumerate(outputs):
            with self._shown(number, output):
                self._warn(number, output, built)
                if images.has_attestations and not _has_place(output):
                    message = "attestations are left out: this type of output has no place for them"
                    self.progress.emit(VertexWarning(vertex=_vertex(number), message=message))
                match output:
                    case FilesOutput():
                        self.files(output, built, images.stated(output))
                    case ArchiveOutput():
                        results[number] = images.archive(output)
                    case ImageOutput():
                        results[number] = images(output.form)
                    case DiskImageOutput():
                        self.disk_images(output, built)
                    case CacheOnly():
                        pass
        results |= self._named(images, outputs)
        return results[max(results)] if results else None

    def announce(self, outputs: Sequence[Output]) -> None:
        """Show ``outputs`` as coming steps in the progress."""
        vertices = frozenset(_vertex(number) for number, _ in enumerate(outputs))
        self.progress.emit(StepsPlanned(plan="outputs", vertices=vertices))

    def _warn(self, number: int, output: Output, built: Sequence[Solved]) -> None:
        if not isinstance(output, ImageOutput | ArchiveOutput) or not output.form.rewrite_timestamp:
            return
        if output.form.epoch is None and all(each.epoch is None for each in built):
            message = "rewrite-timestamp is specified, but there is no source-date-epoch"
            self.progress.emit(VertexWarning(vertex=_vertex(number), message=message))

    def _named(self, images: BuiltImages, outputs: Sequence[Output]) -> dict[int, BuiltImage]:
        wanted = {n: each for n, each in enumerate(outputs) if isinstance(each, ImageOutput)}
        for output in wanted.values():
            if output.push:
                images.push(output)
        return {number: images.store(output) for number, output in wanted.items()}

    @contextmanager
    def _shown(self, number: int, output: Output) -> Iterator[None]:
        vertex = _vertex(number)
        self.progress.emit(VertexStarted(vertex=vertex, name=_title(output)))
        try:
            yield
        except ImgError as error:
            self.progress.emit(VertexFailed(vertex=vertex, message=error.message))
            raise
        self.progress.emit(VertexDone(vertex=vertex))


def _has_place(output: Output) -> bool:
    """Return whether attestations can be part of ``output``."""
    match output:
        case ArchiveOutput():
            return output.format != "docker"
        case DiskImageOutput():
            return False
        case _:
            return True


def _vertex(number: int) -> str:
    return f"export {number}"


def _title(output: Output) -> str:
    match output:
        case ImageOutput():
            return "exporting to image"
        case ArchiveOutput():
            return f"exporting to {output.format} image format"
        case FilesOutput():
            return f"exporting to client {'tarball' if output.tar else 'directory'}"
        case DiskImageOutput():
            return f"exporting to {output.format}"
        case CacheOnly():
            return "exporting to cache only"
