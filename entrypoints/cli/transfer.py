"""``img pull``, ``push``, ``save``, ``load``, ``unpack``."""

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from img.domain.errors import ContextError, UsageError
from img.domain.image_name import ImageName
from img.domain.reference import ImageReference
from img.entrypoints.cli import commands, options
from img.entrypoints.cli.images import Names
from img.entrypoints.cli.inspection import platform_of
from img.entrypoints.cli.options import RegistryOptions
from img.entrypoints.cli.output import say
from img.entrypoints.cli.params import shared_options
from img.entrypoints.cli.session import Session
from img.entrypoints.cli.tables import bytes_size
from img.entrypoints.settings import host_platform

if TYPE_CHECKING:
    from img.application.ports.exporter import ArchivedImage
    from img.application.transfer.catalog import Image
    from img.application.transfer.publish import Published
    from img.domain.options.foreign import ForeignOption


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("load", cls=commands.followed_by(), short_help="Load images from an archive.")(load)
    app.command(
        "pull",
        cls=commands.followed_by("NAME", foreign=_foreign_options),
        short_help="Pull an image or a repository from a registry.",
    )(pull)
    app.command(
        "push",
        cls=commands.followed_by("NAME...", foreign=_foreign_options),
        short_help="Push an image or a repository to a registry.",
    )(push)
    app.command(
        "save", cls=commands.followed_by("NAME..."), short_help="Save an image to a tar archive."
    )(save)
    app.command(
        "unpack",
        cls=commands.followed_by("NAME"),
        short_help="Unpack the rootfs and store it to a directory.",
    )(unpack)


def _foreign_options() -> "Mapping[str, ForeignOption]":
    from img.domain.options.foreign import OF_TRANSFER

    return OF_TRANSFER


@shared_options
def pull(
    session: Session,
    registries: RegistryOptions,
    names: Names = None,
    quiet: options.Quiet = False,
) -> "Image":
    """Pull an image or a repository from a registry."""
    if not names or len(names) != 1:
        raise UsageError("must pass an image or repository to pull")
    reference = ImageReference.parse(names[0])
    say(f"Pulling {names[0]}...")
    with session.open(
        quiet=quiet,
        access=registries.access({reference.domain}),
    ) as container:
        image = container.images.pull_image()(reference, host_platform())
    say(f"Pulled: {image.target.digest}")
    say(f"Size: {bytes_size(image.size)}")
    return image


@shared_options
def push(
    session: Session,
    registries: RegistryOptions,
    names: Names = None,
    quiet: options.Quiet = False,
    nondistributable: Annotated[
        bool,
        typer.Option(
            "--allow-nondistributable-artifacts", help="Push layers that may not be distributed."
        ),
    ] = False,
) -> "Mapping[str, Published]":
    """Push images to a registry; further tags of a repository send no layers."""
    if not names:
        raise UsageError("must pass an image or repository to push")
    images = [ImageName.parse(name) for name in names]
    domains = {image.reference.domain for image in images if image.reference}
    if registries.insecure and (by_id := [image.text for image in images if image.digits]):
        raise UsageError(
            f'--insecure-registry needs to know the registry, which "{by_id[0]}" does not say',
            hint="push NAME, or use --tls-verify=false",
        )
    say(f"Pushing {' '.join(names)}...")
    with session.open(
        quiet=quiet,
        access=registries.access(domains),
    ) as container:
        pushed = container.images.push_image()(*images, nondistributable=nondistributable)
    for name, published in zip(names, pushed, strict=True):
        if published.left_out:
            say(f"WARNING: {published.difference_from(name)}", error=True)
        say(f"Successfully pushed {name}")
    return dict(zip(names, pushed, strict=True))


@shared_options
def save(
    session: Session,
    names: Names = None,
    output: Annotated[
        str,
        typer.Option("--output", "-o", help="Write to a file instead of stdout.", metavar="FILE"),
    ] = "",
    archive: Annotated[
        str,
        typer.Option("--format", help="Set the archive format: docker or oci.", metavar="FORMAT"),
    ] = "docker",
) -> None:
    """Save one or more images to a tar archive (to stdout by default)."""
    if not names:
        raise UsageError("must pass an image to save")
    if archive not in {"docker", "oci"}:
        raise UsageError(f'"{archive}" is not a valid format', hint="docker or oci")
    if not output and sys.stdout.isatty():
        raise UsageError("cowardly refusing to save to a terminal. Use the -o flag or redirect")
    images = [ImageName.parse(name) for name in names]
    with session.open() as container:
        save_image = container.images.save_image()
        with container.system.output_files().file(output or "-") as file:
            less = save_image(images, file, archive_format=archive)
        for name in less:
            say(
                f"WARNING: signatures and attestations of {name.text} are left out: docker's format"
                " has no place for them (use --format oci)",
                error=True,
            )


@shared_options
def load(
    session: Session,
    input_: Annotated[
        str,
        typer.Option("--input", "-i", help="Read from a file instead of stdin.", metavar="FILE"),
    ] = "",
    quiet: options.Quiet = False,
) -> "Sequence[ArchivedImage]":
    """Load images from an archive of img, docker, podman or skopeo."""
    if not input_ and sys.stdin.isatty():
        raise UsageError("requested load from stdin, but stdin is empty", hint="use -i FILE")
    with (
        session.open() as container,
        opened(input_) as stream,
    ):
        loaded = container.images.load_image()(stream)
    if quiet:
        return loaded
    for image in loaded:
        for reference in image.references:
            say(f"Loaded image: {reference.familiar}")
        if not image.references:
            say(f"Loaded image ID: {image.id or image.target.digest}")
    return loaded


@shared_options
def unpack(
    session: Session,
    names: Names = None,
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", help="Create this directory (default: ./rootfs).", metavar="DIR"
        ),
    ] = "rootfs",
) -> None:
    """Unpack the root file system of an image to a directory."""
    if not names or len(names) != 1:
        raise UsageError("must pass an image to unpack")
    if os.path.lexists(output):
        raise UsageError(f"destination directory already exists: {output}")
    from img.entrypoints.rootless import may_change_owners

    image = ImageName.parse(names[0])
    with session.open() as container:
        left_out = container.images.unpack_image()(
            image, platform_of(""), output, owners=may_change_owners()
        )
    for path in left_out:
        say(f"WARNING: left out /{path}, a device: only root can make one", error=True)
    say(f"Successfully unpacked rootfs for {names[0]} to: {output}")


def opened(path: str) -> AbstractContextManager[BinaryIO]:
    """Return the file ``path``, standard input for "". Raises ContextError."""
    if not path:
        return nullcontext(sys.stdin.buffer)
    try:
        return Path(path).open("rb")
    except OSError as error:
        raise ContextError(
            f"cannot read {path}: {(error.strerror or str(error)).lower()}"
        ) from None
