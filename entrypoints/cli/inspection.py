"""``img inspect``, ``history``."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from img.domain.errors import ImgError, UsageError
from img.domain.image_name import ImageName
from img.entrypoints.cli import options
from img.entrypoints.cli.failures import report
from img.entrypoints.cli.formats import Format, is_template, show_rows
from img.entrypoints.cli.images import Names
from img.entrypoints.cli.output import say_json, say_lines
from img.entrypoints.cli.params import shared_options
from img.entrypoints.cli.session import Session
from img.entrypoints.cli.tables import aligned, bytes_size, human_duration
from img.entrypoints.settings import host_platform

if TYPE_CHECKING:
    from img.domain.digest import Digest
    from img.domain.image_view import HistoryStep
    from img.domain.platform import Platform

_HEADERS = {
    "ID": "IMAGE",
    "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT",
    "CreatedBy": "CREATED BY",
    "Size": "SIZE",
    "Comment": "COMMENT",
}
_TABLE = ("ID", "CreatedSince", "CreatedBy", "Size", "Comment")

WhichPlatform = Annotated[
    str,
    typer.Option(
        "--platform",
        help="Show the image of this platform (default: this machine's).",
        metavar="OS/ARCH",
        show_default=False,
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        "history",
        cls=options.followed_by("NAME"),
        short_help="Show the steps of an image and the sizes of their layers.",
    )(history)
    app.command(
        "inspect",
        cls=options.followed_by("NAME..."),
        short_help="Show details of one or more images.",
    )(inspect)


@shared_options
def inspect(
    session: Session,
    names: Names = None,
    shape: Annotated[
        str,
        typer.Option(
            "--format",
            "-f",
            help="Print json or a Go template (default: indented JSON).",
            metavar="FORMAT",
            show_default=False,
        ),
    ] = "",
    config: Annotated[
        bool, typer.Option("--config", help="Print the stored OCI config of the image.")
    ] = False,
    kind: Annotated[str, typer.Option("--type", help="image.", metavar="TYPE", hidden=True)] = "",
    platform: WhichPlatform = "",
) -> None:
    """Show details of images, given by name, ID or digest, in the format of docker inspect."""
    if not names or (config and len(names) != 1):
        raise UsageError("must pass an image to inspect")
    if kind not in ("", "image"):
        raise UsageError(f"--type {kind}: there are images only")
    if config and shape:
        raise UsageError("--config and --format are mutually exclusive")
    wanted, which = [ImageName.parse(name) for name in names], _platform(platform)
    with session.open() as container:
        inspect_image = container.images.inspect_image()
        if config:
            from img.domain.json_text import parse_json

            say_json(parse_json(inspect_image.config(wanted[0], which)), indent="\t")
            return
        documents, problems = [], []
        for name in wanted:
            try:
                documents.append(inspect_image(name, which))
            except ImgError as error:  # docker shows the other images as well
                problems.append(error)
    if shape in ("", "json"):
        from img.domain.go.template.values import plain

        say_json([plain(document) for document in documents], indent=None if shape else 4)
    else:
        from img.domain.go.template.render import Template

        template = Template(shape)
        say_lines([f"{template.render(document)}\n" for document in documents])
    if codes := [report(problem) for problem in problems]:
        raise typer.Exit(codes[0])


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
    name, which = ImageName.parse(names[0]), _platform(platform)
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


def _platform(text: str) -> "Platform":
    from img.domain.platform import Platform

    return Platform.parse(text, host_platform()) if text else host_platform()
