"""Checks of the places of outputs before a build."""

from collections.abc import Iterable

from img.application.ports.output_files import OutputFiles
from img.domain.options.cache import CacheTarget, LocalCache
from img.domain.outputs import ArchiveOutput, DiskImageOutput, FilesOutput, Output


def check_places(
    places: OutputFiles, outputs: Iterable[Output], caches: Iterable[CacheTarget]
) -> None:
    """Check that outputs and caches can be written. Raises OutputNotWritten."""
    for output in outputs:
        match output:
            case FilesOutput(tar=False) | ArchiveOutput(tar=False):
                places.check_directory(output.destination)
            case FilesOutput() | ArchiveOutput() | DiskImageOutput():
                places.check_file(output.destination)
    for target in caches:
        if isinstance(target.place, LocalCache) and not target.ignore_error:
            places.check_directory(target.place.path)
