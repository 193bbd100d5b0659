"""``img explore``."""

import sys
from typing import Annotated

import typer

from img.domain.errors import UsageError
from img.domain.image_name import ImageName
from img.entrypoints.cli import commands
from img.entrypoints.cli.image_completion import image_names
from img.entrypoints.cli.params import shared_options
from img.entrypoints.cli.session import Session

_EXTRA = "pip install 'img-builder[tui]'"


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "explore",
        cls=commands.followed_by("IMAGE"),
        short_help="Look at the layers, files and waste of an image.",
    )(explore)


@shared_options
def explore(
    session: Session,
    names: Annotated[
        list[str] | None, typer.Argument(hidden=True, autocompletion=image_names)
    ] = None,
    platform: Annotated[
        str,
        typer.Option("--platform", help="Explore the image for this platform.", metavar="OS/ARCH"),
    ] = "",
) -> None:
    """Look at the layers of an image, the files that each changes, and wasted bytes."""
    from img.entrypoints.cli.inspection import platform_of

    if not names or len(names) != 1:
        raise UsageError("must pass an image to explore")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("img explore needs a terminal", hint="`img history` prints the layers")
    try:
        from img.entrypoints.cli.explorer import Explorer
    except ImportError as error:
        raise UsageError(f"img explore is not installed ({error})", hint=_EXTRA) from None
    which = platform_of(platform)
    with session.open() as container:
        image = container.images.explore_image()(ImageName.parse(names[0]), which)
    Explorer(names[0], image).run()
