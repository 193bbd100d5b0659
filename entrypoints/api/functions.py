"""The functions of ``import img``. Each runs a command in an engine of its own and waits for it.

They may be called from several threads. All raise ImgError for expected failures, EngineCrashed for
a bug in img, and TypeError for unknown options. Nothing is printed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from img.domain.errors import UsageError
from img.domain.json_text import parse_json
from img.domain.reference import ImageReference
from img.entrypoints.api.cancellation import Cancellation
from img.entrypoints.api.engine import Engine, OnProgress
from img.entrypoints.api.images import Image
from img.entrypoints.api.options import (
    BakeOptions,
    BuildOptions,
    ImagesOptions,
    LoadOptions,
    LockOptions,
    PathText,
    PullOptions,
    PushOptions,
    SaveOptions,
    command,
)
from img.entrypoints.api.streams import input_descriptor, output_descriptor
from img.entrypoints.engine.protocol import ImageRecord

if TYPE_CHECKING:
    from typing import Unpack

    from img.entrypoints.engine.protocol import Ran


def build(
    context: PathText | BinaryIO,
    *,
    file: PathText | BinaryIO | None = None,
    on_progress: OnProgress | None = None,
    cancellation: Cancellation | None = None,
    **options: Unpack[BuildOptions],
) -> Image:
    """Build an image from a Dockerfile and return it.

    ``context`` is a directory, a URL, or an open file with a tar archive. ``file`` is the path of
    the Dockerfile, or an open file with its text. ``on_progress`` is called with each event, in
    this thread; its exceptions cancel the build, and ``cancellation`` does so from any thread. If
    all outputs are files, the image is false.

    Raises UsageError, ContextError, DockerfileError, BuildError, RemoteError, HostError …
    """
    streams = [each for each in (context, file) if not isinstance(each, str | os.PathLike | None)]
    if len(streams) > 1:
        raise UsageError("context and file are both open files", hint="give one of them by path")
    stream = streams[0] if streams else None
    words = command(
        "build",
        BuildOptions,
        cast("Mapping[str, object]", options),
        [_place(context)],
    )
    chosen = () if file is None else (f"--file={_place(file)}",)
    ran = _run((words[0], "--quiet", *chosen, *words[1:]), on_progress, cancellation, stdin=stream)
    return next(_images(ran), Image(None, state=ran.state))


def bake(
    *targets: str,
    on_progress: OnProgress | None = None,
    cancellation: Cancellation | None = None,
    **options: Unpack[BakeOptions],
) -> dict[str, Image]:
    """Build the targets of a bake or compose file; return the images by target.

    The first of ``targets`` may be the URL of a definition. Targets that make no image are left
    out; with ``lock`` no target makes one. Raises UsageError, BakeError, and as ``build`` does.
    """
    import tempfile

    with tempfile.TemporaryDirectory(prefix="img-api-") as place:
        metadata_file = options.get("metadata_file") or os.path.join(place, "metadata.json")
        given = cast("Mapping[str, object]", {**options, "metadata_file": metadata_file})
        name, *words = command("bake", BakeOptions, given, targets)
        ran = _run((name, "--progress=quiet", *words), on_progress, cancellation)
        if options.get("lock"):
            return {}
        with open(metadata_file, "rb") as file:
            metadata = cast("dict[str, dict[str, Any]]", parse_json(file.read()))
    return {
        target: Image(_record_of(about), state=ran.state)
        for target, about in metadata.items()
        if "containerimage.descriptor" in about
    }


def lock(
    context: PathText,
    *,
    file: PathText | None = None,
    on_progress: OnProgress | None = None,
    cancellation: Cancellation | None = None,
    **options: Unpack[LockOptions],
) -> tuple[str, ...]:
    """Write the lock file of a build; return a line for each entry that changes.

    With ``diff`` nothing is written. With ``check`` nothing is written, and UsageError is raised
    if the file has other names than the build. Raises as ``build`` does before its first step.
    """
    given: dict[str, object] = {**options}
    if isinstance(update := given.get("update"), bool):
        given["update"] = "" if update else None
    words = command("lock", LockOptions, given, [_place(context)])
    chosen = () if file is None else (f"--file={_place(file)}",)
    return _run((words[0], *chosen, *words[1:]), on_progress, cancellation).lines


def pull(
    name: str,
    *,
    on_progress: OnProgress | None = None,
    cancellation: Cancellation | None = None,
    **options: Unpack[PullOptions],
) -> Image:
    """Pull an image from a registry and return it. Raises RemoteError, InvalidReference."""
    words = command("pull", PullOptions, cast("Mapping[str, object]", options), [name])
    ran = _run(words, on_progress, cancellation)
    record = replace(ran.images["0"], names=(str(ImageReference.parse(name)),))
    return Image(record, state=ran.state)


def push(
    *names: str,
    on_progress: OnProgress | None = None,
    cancellation: Cancellation | None = None,
    **options: Unpack[PushOptions],
) -> dict[str, str]:
    """Push images to the registries in their names; return the digests there by name.

    Raises ImageNotFound, RemoteError, UsageError.
    """
    words = command("push", PushOptions, cast("Mapping[str, object]", options), names)
    ran = _run(words, on_progress, cancellation)
    return {name: record.digest for name, record in ran.images.items()}


def save(
    *names: str,
    output: PathText | BinaryIO,
    cancellation: Cancellation | None = None,
    **options: Unpack[SaveOptions],
) -> None:
    """Write images to an archive: a file by path, or an open one with a descriptor.

    Raises ImageNotFound, UsageError.
    """
    words = command("save", SaveOptions, cast("Mapping[str, object]", options), names)
    if isinstance(output, str | os.PathLike):
        _run((words[0], f"--output={_place(output)}", *words[1:]), None, cancellation)
    else:
        _run(words, None, cancellation, stdout=output)


def load(
    archive: PathText | BinaryIO,
    *,
    on_progress: OnProgress | None = None,
    cancellation: Cancellation | None = None,
    **options: Unpack[LoadOptions],
) -> tuple[Image, ...]:
    """Store the images of an archive and return them. Raises ContextError, ImgError."""
    words = command("load", LoadOptions, cast("Mapping[str, object]", options))
    if isinstance(archive, str | os.PathLike):
        ran = _run((words[0], f"--input={_place(archive)}", *words[1:]), on_progress, cancellation)
    else:
        ran = _run(words, on_progress, cancellation, stdin=archive)
    return tuple(_images(ran))


def images(pattern: str = "", **options: Unpack[ImagesOptions]) -> tuple[Image, ...]:
    """Return the images of the store, sorted by name: all, or those that ``pattern`` matches."""
    arguments = [pattern] if pattern else []
    words = command("ls", ImagesOptions, cast("Mapping[str, object]", options), arguments)
    return tuple(_images(_run(words, None)))


def image(name: str, *, platform: str = "", state: PathText = "") -> Image:
    """Return an image of the store, by name, ID, digest, or the beginning of one.

    Raises ImageNotFound, NotFoundError for an ambiguous beginning, NoPlatformMatch.
    """
    return Image.named(name, platform=platform, state=os.path.abspath(state) if state else "")


def _run(
    words: Sequence[str],
    on_progress: OnProgress | None,
    cancellation: Cancellation | None = None,
    *,
    stdin: BinaryIO | None = None,
    stdout: BinaryIO | None = None,
) -> Ran:
    cancellation = cancellation or Cancellation()
    cancellation.check()
    with (
        input_descriptor(stdin) as source,
        output_descriptor(stdout) as sink,
        Engine(stdin=source, stdout=sink) as engine,
        cancellation.ending(engine.cancel),
    ):
        return engine.run(words, on_progress)


def _record_of(metadata: Mapping[str, Any]) -> ImageRecord:
    """Return the record of the image in the metadata of a build, which img wrote."""
    descriptor = metadata["containerimage.descriptor"]
    return ImageRecord(
        digest=descriptor["digest"],
        media_type=descriptor["mediaType"],
        size=descriptor["size"],
        document_size=descriptor["size"],
        names=tuple(filter(None, metadata.get("image.name", "").split(","))),
        id=metadata.get("containerimage.config.digest", ""),
    )


def _images(ran: Ran) -> Iterator[Image]:
    return (Image(record, state=ran.state) for record in ran.images.values())


def _place(place: PathText | BinaryIO) -> str:
    """Return the path as the command line takes it; "-" is an open file."""
    if not isinstance(place, str | os.PathLike):
        return "-"
    text = os.fspath(place)
    if text == "-":
        raise UsageError('"-" is standard input or output, which belongs to this program')
    return text
