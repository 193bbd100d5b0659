"""The history of an image: ``img history IMAGE``, ``img image history``."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from img.domain.errors import UsageError
from img.domain.image_name import ImageName
from img.entrypoints.cli import commands
from img.entrypoints.cli.formats import Format, is_template, show_rows
from img.entrypoints.cli.images import Names
from img.entrypoints.cli.inspection import WhichPlatform, platform_of
from img.entrypoints.cli.output import say_lines
from img.entrypoints.cli.params import shared_options
from img.entrypoints.cli.session import Session
from img.entrypoints.cli.tables import aligned, bytes_size, human_duration

if TYPE_CHECKING:
    from img.domain.digest import Digest
    from img.domain.image_view import HistoryStep

_HEADERS = {
    "ID": "IMAGE",
    "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT",
    "CreatedBy": "CREATED BY",
    "Size": "SIZE",
    "Comment": "COMMENT",
}
_TABLE = ("ID", "CreatedSince", "CreatedBy", "Size", "Comment")


def add_to(app: typer.Typer) -> None:
    """Add the command, which has Docker's name ``image history``."""
    app.command(
        "history",
        cls=commands.followed_by("NAME"),
        short_help="Show the steps of an image and the sizes of their layers.",
    )(history)


@shared_options
def history(
    session: Session,
    names: Names = None,
    human: Annotated[
        bool,
        typer.Option("--human/--no-human", "-H", help="Print sizes and times in readable units."),
    ] = True,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print image IDs only.")] = False,
    shape: Format = "",
    no_trunc: Annotated[
        bool, typer.Option("--no-trunc", help="Do not shorten IDs and commands.")
    ] = False,
    platform: WhichPlatform = "",
) -> None:
    """Show the steps of an image, the last one first, and the sizes of their layers."""
    if not names or len(names) != 1:
        raise UsageError("must pass an image to show the history of")
    name, which = ImageName.parse(names[0]), platform_of(platform)
    with session.open() as container:
        now = container.system.clock().now()
        id_, steps = container.images.image_history()(name, which)
    rows = _rows(id_, steps, now, human=human, full=no_trunc)
    if quiet:
        say_lines([f"{row['ID']}\n" for row in rows])
    elif is_template(shape) or shape == "json":
        show_rows(shape, rows, _HEADERS)
    else:
        times = "CreatedSince" if human else "CreatedAt"
        columns = [times if column == "CreatedSince" else column for column in _TABLE]
        say_lines(aligned([[row[column] for column in columns] for row in (_HEADERS, *rows)]))


def _rows(
    id_: "Digest", steps: "Sequence[HistoryStep]", now: datetime, *, human: bool, full: bool
) -> list[dict[str, str]]:
    from img.domain.image_view import MISSING, short_id, shown_command
    from img.domain.oci.config import moment_of

    rows = []
    for number, each in enumerate(steps):
        command = each.step.created_by.replace("\t", " ")
        moment = moment_of(each.step.created)
        since = f"{human_duration((now - moment).total_seconds())} ago" if moment else "N/A"
        rows.append(
            {
                "ID": MISSING if number else str(id_) if full else short_id(id_),
                "CreatedSince": since if human else each.step.created,
                "CreatedAt": each.step.created or "N/A",
                "CreatedBy": command if full else shown_command(command),
                "Size": bytes_size(each.size) if human else str(each.size),
                "Comment": each.step.comment,
            }
        )
    return rows
