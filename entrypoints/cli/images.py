"""``img ls``, ``tag``, ``rm``."""

import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from img.domain.errors import ImgError, UsageError
from img.domain.image_name import ImageName
from img.domain.reference import ImageReference
from img.entrypoints.cli import commands
from img.entrypoints.cli.failures import report
from img.entrypoints.cli.formats import Format, is_template, show_rows
from img.entrypoints.cli.image_completion import image_names
from img.entrypoints.cli.options import RegistryOptions
from img.entrypoints.cli.output import say, say_lines, say_text, terminal_columns
from img.entrypoints.cli.params import shared_options
from img.entrypoints.cli.session import Needs, Session
from img.entrypoints.cli.tables import bytes_size, fitting, human_duration, render_table
from img.entrypoints.settings import host_platform

if TYPE_CHECKING:
    from img.application.usecases.list_images import ListedImage, ListImages
    from img.domain.image_filter import ImageFilter

_HEADER = ("NAME", "SIZE", "CREATED AT", "UPDATED AT", "DIGEST")
_CREATED, _UPDATED = 2, 3
_HEADERS = {
    "ID": "IMAGE ID",
    "Repository": "REPOSITORY",
    "Tag": "TAG",
    "Digest": "DIGEST",
    "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT",
    "Size": "SIZE",
    "VirtualSize": "SIZE",
    "SharedSize": "SHARED SIZE",
    "UniqueSize": "UNIQUE SIZE",
    "Containers": "CONTAINERS",
}

Names = Annotated[list[str] | None, typer.Argument(hidden=True, autocompletion=image_names)]
Filters = Annotated[
    list[str] | None,
    typer.Option(
        "--filter",
        "-f",
        help="reference=PATTERN, dangling=true, label=KEY[=VALUE], before=NAME, since=NAME, "
        "until=TIME, or a part of the name. Repeatable.",
        metavar="FILTER",
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("ls", cls=commands.followed_by("[NAME]"), short_help="List images and digests.")(ls)
    app.command("rm", cls=commands.followed_by("NAME..."), short_help="Remove one or more images.")(
        rm
    )
    app.command(
        "tag",
        cls=commands.followed_by("SOURCE_IMAGE TARGET_IMAGE"),
        short_help="Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE.",
    )(tag)


@shared_options
def ls(
    session: Session,
    names: Names = None,
    filters: Filters = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print image IDs only.")] = False,
    shape: Format = "",
    digests: Annotated[
        bool, typer.Option("--digests", help="Show full digests on a terminal as well.")
    ] = False,
    no_trunc: Annotated[
        bool, typer.Option("--no-trunc", help="Do not shorten IDs and digests.")
    ] = False,
    everything: Annotated[  # noqa: ARG001 (docker hides some without it; img never does)
        bool, typer.Option("--all", "-a", help="Show all images (img always does).")
    ] = False,
) -> "Sequence[ListedImage]":
    """List images and digests, by NAME or pattern if one is given."""
    if names and len(names) > 1:
        raise UsageError("one NAME or pattern at most is expected")
    with session.open() as container:
        now = container.system.clock().now()
        list_images = container.images.list_images()
        wanted = image_filter(list_images, filters, names or [], now)
        images = list_images(host_platform(), wanted)
    if quiet:
        say_lines(f"{_id(listed, full=no_trunc)}\n" for listed in images)
    elif is_template(shape) or shape == "json":
        show_rows(shape, [_fields(each, now, full=no_trunc) for each in images], _HEADERS)
    elif sys.stdout.isatty():
        rows = _rows_to_read(images, now, full=digests or no_trunc)
        say_lines(fitting(rows, terminal_columns(), spare=(_UPDATED, _CREATED)))
    else:
        say_text(render_table(_rows(images, now)))
    return images


def image_filter(
    list_images: "ListImages", filters: list[str] | None, patterns: Sequence[str], now: datetime
) -> "ImageFilter":
    """Return the filter of ``--filter`` and ``patterns``. Raises UsageError, ImageNotFound."""
    from img.domain.image_filter import ImageFilter, parse_image_filters

    if not filters and not patterns:
        return ImageFilter()
    from img.domain.usage import Since

    return parse_image_filters(
        filters or (),
        patterns,
        created=lambda name: list_images.created(name, host_platform()),
        ago=Since(now),
    )


def _rows(images: "Sequence[ListedImage]", now: datetime) -> list[tuple[str, ...]]:
    """Return a table for programs to read, with the columns of img 0.5."""
    rows = [
        (
            str(listed.image.reference or "<none>"),
            _size(listed),
            _ago(now, listed.image.created),
            _ago(now, listed.image.updated),
            str(listed.image.target.digest),
        )
        for listed in images
    ]
    return [_HEADER, *rows]


def _rows_to_read(
    images: "Sequence[ListedImage]", now: datetime, *, full: bool
) -> list[tuple[str, ...]]:
    """Return the same for people: in 80 columns, if names are not too long."""
    rows = [
        (
            listed.image.reference.familiar if listed.image.reference else "<none>",
            _size(listed),
            _ago(now, listed.image.created).replace("Less than a", "1"),
            _ago(now, listed.image.updated).replace("Less than a", "1"),
            str(listed.image.target.digest) if full else listed.image.target.digest.encoded[:12],
        )
        for listed in images
    ]
    return [_HEADER, *rows]


def _fields(listed: "ListedImage", now: datetime, *, full: bool) -> dict[str, str]:
    """Return the fields that docker has for templates."""
    name = listed.image.reference
    created = listed.created
    unknown = dict.fromkeys(("SharedSize", "UniqueSize", "Containers"), "N/A")
    return {
        "ID": _id(listed, full=full),
        "Repository": name.familiar_name if name else "<none>",
        "Tag": (name and name.tag) or "<none>",
        "Digest": str(listed.image.target.digest),
        "CreatedSince": _ago(now, created) if created else "N/A",
        "CreatedAt": f"{created:%Y-%m-%d %H:%M:%S} +0000 UTC" if created else "N/A",
        "Size": _size(listed),
        "VirtualSize": _size(listed),
        **unknown,
    }


def _id(listed: "ListedImage", *, full: bool) -> str:
    id_ = listed.id or listed.image.target.digest  # damaged: the manifest's digest will do
    return str(id_) if full else id_.encoded[:12]


def _size(listed: "ListedImage") -> str:
    return "damaged" if listed.size is None else bytes_size(listed.size)


def _ago(now: datetime, moment: datetime) -> str:
    return f"{human_duration((now - moment).total_seconds())} ago"


@shared_options
def tag(
    session: Session,
    names: Names = None,
) -> None:
    """Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE."""
    if not names or len(names) != 2:
        raise UsageError("must pass an image or repository and target to tag")
    source, target = ImageName.parse(names[0]), ImageReference.parse(names[1])
    with session.open() as container:
        container.images.tag_image()(source, target)
    say(f"Successfully tagged {names[0]} as {names[1]}")


@shared_options
def rm(
    session: Session,
    registries: RegistryOptions,
    names: Names = None,
    remote: Annotated[
        bool, typer.Option("--remote", help="Remove the images from their registry instead.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", "-f", help="Remove all names of an image given by its ID.")
    ] = False,
) -> None:
    """Remove one or more images, by name, ID or digest."""
    if not names:
        raise UsageError("must pass an image to remove")
    images = [] if remote else [ImageName.parse(name) for name in names]
    references = [ImageReference.parse(name) for name in names] if remote else []
    with session.open(
        needs=Needs.NOTHING if remote else Needs.STATE,
        access=registries.access({name.domain for name in references}),
    ) as container:
        removals: list[Callable[[], object]] = (
            [partial(container.registries.remove_remote_image(), each) for each in references]
            if remote
            else [
                partial(container.housekeeping.remove_image(), each, force=force) for each in images
            ]
        )
        code = 0
        for name, remove in zip(names, removals, strict=True):
            say(f"Removing {name}...")
            try:
                remove()
            except ImgError as error:  # docker removes the other images as well
                code = code or report(error)
            else:
                say(f"Successfully removed {name}")
    if code:
        raise typer.Exit(code)
