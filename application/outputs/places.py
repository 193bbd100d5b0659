"""Checks of the places of outputs before a build."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from img.application.ports.output_files import OutputFiles
from img.domain.errors import UsageError
from img.domain.options.cache import CacheTarget, LocalCache
from img.domain.outputs import ArchiveOutput, DiskImageOutput, FilesOutput, ImageOutput, Output

if TYPE_CHECKING:
    from img.domain.attestations.wanted import AttestationsWanted


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


def check_attested(outputs: Iterable[Output], wanted: "AttestationsWanted") -> None:
    """Raise UsageError for an output that cannot have attestations."""
    for output in outputs:
        if isinstance(output, ImageOutput | ArchiveOutput) and not output.form.oci_types:
            is_index = isinstance(output, ImageOutput) or output.format != "docker"
            if is_index and not wanted.as_referrers:
                raise UsageError(
                    'cannot export attestations with "oci-mediatypes=false"',
                    hint="use --attest-as referrer",
                )
