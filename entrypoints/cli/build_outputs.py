"""The outputs of ``img build``, and the messages about them."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from img.domain.dataclass import dataclass
from img.domain.errors import UsageError
from img.domain.go.booleans import parse_boolean
from img.domain.options.outputs import OutputOptions, parse_outputs
from img.domain.outputs import (
    STANDARD_OUTPUT,
    ArchiveOutput,
    DiskImageOutput,
    FilesOutput,
    ImageOutput,
    Output,
    is_streamed,
)
from img.entrypoints.cli.options import RegistryOptions
from img.entrypoints.cli.tables import bytes_size
from img.entrypoints.settings import RegistryAccess, host_platform

_WARNINGS = "BUILDX_METADATA_WARNINGS"


class BuildFacts(Protocol):
    """The numbers of steps of a build."""

    cached: int
    run: int


if TYPE_CHECKING:
    from img.application.outputs.solved import BuiltImage
    from img.application.ports.output_files import OutputFiles


def outputs_of(asked: OutputOptions) -> tuple[Output, ...]:
    """Return the outputs, their places looked at: before a build, not after it.

    Raises UsageError, InvalidReference.
    """
    outputs = parse_outputs(asked, host_platform())
    for output in outputs:
        _check_place(output)
    return outputs


def title_of(outputs: Sequence[Output], tags: Sequence[str]) -> str:
    """Return the title of a build: the first tag, else a name in an output, else "image"."""
    named = [each for each in outputs if isinstance(each, ImageOutput | ArchiveOutput)]
    names = [name.familiar for each in named for name in each.names]
    return [*tags, *names, "image"][0]


def registry_access(registries: RegistryOptions, outputs: Sequence[Output]) -> RegistryAccess:
    """Return the access of a build; --insecure-registry is for the outputs that are pushed."""
    by_http = frozenset(
        name.domain
        for each in outputs
        if isinstance(each, ImageOutput) and (each.insecure or registries.insecure)
        for name in each.names
    )
    return replace(registries, insecure=True).access(by_http)


@dataclass(frozen=True, slots=True)
class ResultFiles:
    """The files with the image ID and the metadata of a build, by path; "" for none."""

    places: "OutputFiles"
    iidfile: str
    metadata_file: str
    warnings: "Callable[[], Sequence[object]] | None" = None  # for the metadata, if asked for

    def check(self) -> None:
        """Raise OutputNotWritten if the files cannot be written."""
        for path in filter(None, (self.iidfile, self.metadata_file)):
            self.places.check_file(file_by_name(path))

    def write(self, built: "BuiltImage | None", record: str = "") -> None:
        """Write the files; ``record`` is the ID in the history. Raises OutputNotWritten."""
        if self.iidfile:
            self._write(self.iidfile, image_id(built))
        if self.metadata_file:
            warnings = self.warnings() if self.warnings else ()
            metadata = metadata_of(built, record) | with_warnings(warnings)
            self._write(self.metadata_file, json.dumps(metadata, indent=2))

    def _write(self, path: str, text: str) -> None:
        with self.places.file(file_by_name(path)) as file:
            file.write(text.encode())


def writes_to_standard_output(outputs: Sequence[Output]) -> bool:
    """Return whether one of ``outputs`` is written to standard output."""
    return any(map(is_streamed, outputs))


def describe(built: "BuiltImage | None", outputs: Sequence[Output]) -> Iterator[str]:
    """Yield the lines about the result, one for each of its names."""
    if built is None:
        return
    yield f"Image ID: {image_id(built)}"
    yield f"Digest: {built.target.digest}"
    yield f"Size: {_size(built)}"
    images = [output for output in outputs if isinstance(output, ImageOutput)]
    yield from (f"Naming to {name}" for each in images if each.store for name in each.names)
    yield from (f"Pushed to {name}" for each in images if each.push for name in each.names)


def summary(built: "BuiltImage | None", facts: "BuildFacts", seconds: float) -> str:
    """Return the line about the whole build: its steps, time, size and digest."""
    steps = f"Steps: {facts.cached} cached, {facts.run} run, in {seconds:.1f}s"
    if built is None:
        return steps
    digest = built.target.digest
    return f"{steps}; {_size(built)}, {digest.algorithm}:{digest.encoded[:12]}"


def is_nameless(outputs: Sequence[Output]) -> bool:
    """Return whether an image is stored without a name."""
    return any(
        isinstance(each, ImageOutput) and each.store and not (each.names or each.dangling_prefix)
        for each in outputs
    )


def _size(built: "BuiltImage") -> str:
    return bytes_size(sum(image.size for image in built.images))


def _check_place(output: Output) -> None:
    match output:
        case FilesOutput(tar=False) | ArchiveOutput(tar=False):
            if os.path.exists(output.destination) and not os.path.isdir(output.destination):
                raise UsageError(f"destination directory {output.destination} is a file")
        case FilesOutput() | ArchiveOutput() | DiskImageOutput() if is_streamed(output):
            if sys.stdout.isatty():
                kind = "tar" if isinstance(output, FilesOutput) else output.format
                raise UsageError(
                    f"dest file is required for {kind} exporter. refusing to write to console"
                )
        case FilesOutput() | ArchiveOutput() | DiskImageOutput():
            if os.path.isdir(output.destination):
                raise UsageError(f"destination file {output.destination} is a directory")
            if not os.path.isdir(os.path.dirname(output.destination) or "."):
                raise UsageError(f"cannot write {output.destination}: no such directory")


def image_id(built: "BuiltImage | None") -> str:
    """Return the ID as Docker prints it: the config's digest; for several platforms, the index'.

    As with buildx it is empty where there is no image.
    """
    if built is None:
        return ""
    if len(built.images) > 1:
        return str(built.target.digest)
    return str(built.images[0].manifest.config.digest)


def metadata_of(built: "BuiltImage | None", record: str = "") -> dict[str, object]:
    """Return the metadata that buildx writes of an image (buildx docs, "--metadata-file").

    ``record`` is the ID of the build in the history, "" if it has none.
    """
    from img.domain.history.selection import build_ref  # few builds write metadata

    ref = {"buildx.build.ref": build_ref(record)} if record else {}
    return {**_image_metadata(built), **ref}


def _image_metadata(built: "BuiltImage | None") -> dict[str, object]:
    if built is None:
        return {}
    descriptor: dict[str, object] = {
        "mediaType": built.target.media_type,
        "digest": str(built.target.digest),
        "size": built.target.size,
    }
    if built.target.annotations:
        descriptor["annotations"] = dict(built.target.annotations)
    metadata: dict[str, object] = {
        "containerimage.descriptor": descriptor,
        "containerimage.digest": str(built.target.digest),
    }
    if len(built.images) == 1:
        config = built.images[0].manifest.config.digest
        metadata["containerimage.config.digest"] = str(config)
    for platform, predicate in built.provenance.items():
        key = "buildx.build.provenance"
        metadata[f"{key}/{platform}" if len(built.provenance) > 1 else key] = predicate
    if built.names:
        metadata["image.name"] = ",".join(str(name) for name in built.names)
    return metadata


def wants_warnings(metadata_file: str) -> bool:
    """Tell whether the metadata file has warnings (buildx, util/confutil/metadata.go)."""
    return bool(metadata_file) and parse_boolean(os.environ.get(_WARNINGS, "")) is True


def with_warnings(warnings: Sequence[object]) -> dict[str, object]:
    """Return the part of the metadata about ``warnings``, which is left out if there are none."""
    return {"buildx.build.warnings": list(warnings)} if warnings else {}


def file_by_name(path: str) -> str:
    """Return ``path`` for an OutputFiles: "-" is a file here, not standard output."""
    return "./-" if path == STANDARD_OUTPUT else path
