"""``img copy``."""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from img.domain.errors import UsageError
from img.entrypoints.cli import commands, options
from img.entrypoints.cli.options import RegistryOptions, Texts, option
from img.entrypoints.cli.output import say
from img.entrypoints.cli.params import shared_options
from img.entrypoints.cli.session import Session
from img.entrypoints.settings import host_platform

if TYPE_CHECKING:
    from collections.abc import Iterable

    from img.domain.image_place import ImagePlace


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "copy",
        cls=commands.followed_by("SOURCE TARGET..."),
        short_help="Copy an image of all platforms between registries, layouts and archives.",
    )(copy)


@shared_options
def copy(
    session: Session,
    registries: RegistryOptions,
    places: Annotated[Texts, typer.Argument(hidden=True)] = None,
    platform: Annotated[
        str, option("--platform", says="Copy the image for one platform.", value="OS/ARCH")
    ] = "",
    referrers: Annotated[
        bool,
        option("--referrers/--no-referrers", says="Copy signatures and other referrers (default)."),
    ] = True,
    quiet: options.Quiet = False,
) -> None:
    """Copy an image of all platforms, byte for byte.

    A place is a name (in a registry), store:NAME, oci:DIRECTORY[:TAG], oci-archive:FILE[:NAME] or
    docker-archive:FILE[:NAME].
    """
    from img.domain.image_place import parse_image_place
    from img.domain.platform import parse_platforms

    if not places or len(places) < 2:
        raise UsageError(
            "must pass a source and a target", hint="such as `img copy alpine r.example.com/alpine`"
        )
    source, *targets = [parse_image_place(text) for text in places]
    wanted = parse_platforms(platform, host_platform()) if platform else ()
    if len(wanted) > 1:
        raise UsageError("--platform takes one platform here", hint="without it all are copied")
    with session.open(
        quiet=quiet, access=registries.access(registries_of([source, *targets]))
    ) as container:
        copied = container.images.copy_image()(
            source,
            targets,
            wanted[0] if wanted else None,
            open_file=open_archive,
            referrers=referrers,
        )
    for text, each in zip(places[1:], copied, strict=True):
        if each.has_less:
            say(
                f"WARNING: signatures and attestations are left out of {text}: docker's format has"
                " no place for them (use oci-archive:FILE)",
                error=True,
            )
        say(f"Copied {each.target.digest} to {text}")


def registries_of(places: "Iterable[ImagePlace]") -> frozenset[str]:
    """Return the registries that ``places`` name."""
    from img.domain.image_place import RegistryPlace

    return frozenset(each.reference.domain for each in places if isinstance(each, RegistryPlace))


def open_archive(path: str) -> "AbstractContextManager[BinaryIO]":
    """Return the archive at ``path``. Raises ContextError."""
    from img.entrypoints.cli.transfer import opened

    return opened(path)
