"""``img report``: a build and its image on one page."""

from typing import Annotated

import typer

from img.domain.errors import UsageError
from img.entrypoints.cli import commands
from img.entrypoints.cli.options import Texts, option
from img.entrypoints.cli.params import shared_options
from img.entrypoints.cli.session import Session
from img.entrypoints.settings import host_platform


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "report",
        cls=commands.followed_by("[BUILD]"),
        short_help="Write a page about a build and its image.",
    )(report)


@shared_options
def report(
    session: Session,
    words: Annotated[Texts, typer.Argument(hidden=True)] = None,
    output: Annotated[
        str, option("--output", "-o", says="Write this file (- is stdout).", value="FILE")
    ] = "",
    platform: Annotated[
        str, option("--platform", says="Show the image for this platform.", value="OS/ARCH")
    ] = "",
) -> None:
    """Write an HTML file about a build: its steps in time, its layers by file, waste and logs.

    BUILD is that of `img history`; the latest build is the default. The file loads nothing from
    the network.
    """
    from img.domain.platform import Platform

    if words and len(words) > 1:
        raise UsageError("must pass one build")
    if not output:
        raise UsageError("must pass a file", hint="such as -o report.html")
    which = Platform.parse(platform, host_platform()) if platform else host_platform()
    with session.open() as container:
        parts = container.housekeeping
        record = parts.read_history().find(words[0] if words else "")
        found = parts.report_build()(record, which)
        with container.system.output_files().file(output) as file:
            parts.report_writer().write(found, file)
