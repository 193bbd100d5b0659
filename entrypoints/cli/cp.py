"""``img cp``: files out of a step of an earlier build, or out of an image."""

import os
import stat
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from img.domain.errors import UsageError
from img.entrypoints.cli import commands
from img.entrypoints.cli.image_completion import image_names
from img.entrypoints.cli.options import option
from img.entrypoints.cli.output import say
from img.entrypoints.cli.params import shared_options
from img.entrypoints.cli.session import Session

if TYPE_CHECKING:
    from img.domain.copy_out import Destination


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "cp",
        cls=commands.followed_by("BUILD:STEP:/PATH|IMAGE:/PATH DEST|-"),
        short_help="Copy files out of a step of an earlier build, or out of an image.",
    )(cp)


@shared_options
def cp(
    session: Session,
    source: Annotated[str, typer.Argument(hidden=True, autocompletion=image_names)] = "",
    destination: Annotated[str, typer.Argument(hidden=True)] = "",
    before: Annotated[
        bool,
        option("--before/--after", says="Use the files before or after the step (default: after)."),
    ] = False,
    follow: Annotated[
        bool, option("--follow-link", "-L", says="Follow a symbolic link at the end of PATH.")
    ] = False,
    platform: Annotated[
        str, option("--platform", says="Use the image of this platform.", value="OS/ARCH")
    ] = "",
) -> None:
    """Copy a file or directory out of a step of an earlier build, or out of an image.

    BUILD and STEP are those of `img history`. Without BUILD it is the latest build, without STEP
    the step that failed. The copy goes into DEST if that is a directory, else DEST is its name;
    with - a tar archive goes to standard output.
    """
    from img.domain.copy_out import CopySource
    from img.entrypoints.cli.inspection import platform_of

    if not source or not destination:
        raise UsageError(
            "must pass a source and a destination", hint="such as `img cp :3:/var/log/x.log .`"
        )
    from img.entrypoints.rootless import may_change_owners

    wanted = CopySource.parse(source)
    as_tar = destination == "-"
    if as_tar and sys.stdout.isatty():
        raise UsageError("a tar archive does not belong on a terminal", hint="redirect it")
    place = None if as_tar else destination_of(destination)
    with session.open() as container:
        left_out = container.housekeeping.copy_out(reach=container.steps.reach_recorded_store())(
            wanted,
            place,
            platform_of(platform),
            owners=may_change_owners(),
            before=before,
            follow=follow,
        )
    for path in left_out:
        say(f"WARNING: left out /{path}, a device: only root can make one", error=True)


def destination_of(text: str) -> "Destination":
    """Return the place on this machine. Raises UsageError."""
    from img.domain.copy_out import Destination

    path = os.path.realpath(text)
    ends_as_directory = text.endswith(("/", "/.", "/.."))
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        parent = os.path.dirname(path)
        if not os.path.isdir(parent):
            raise UsageError(f"there is no directory {parent}", hint="create it first") from None
        return Destination(path=path, kind="missing", has_to_be_directory=ends_as_directory)
    except OSError as error:
        raise UsageError(f"cannot copy to {text}: {error.strerror or error}") from None
    if stat.S_ISDIR(mode):
        return Destination(path=path, kind="directory", has_to_be_directory=ends_as_directory)
    if stat.S_ISREG(mode):
        return Destination(path=path, kind="file", has_to_be_directory=ends_as_directory)
    raise UsageError(
        f"{text} is neither a file nor a directory", hint="- writes a tar archive to stdout"
    )
