"""``img sbom``, ``diff``."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from img import __version__
from img.application.log import logger
from img.domain.errors import UsageError
from img.domain.image_name import ImageName
from img.entrypoints.cli import commands
from img.entrypoints.cli.images import Names
from img.entrypoints.cli.inspection import WhichPlatform, platform_of
from img.entrypoints.cli.output import say_json, say_lines
from img.entrypoints.cli.params import shared_options
from img.entrypoints.cli.session import Session
from img.entrypoints.cli.tables import aligned, bytes_size

if TYPE_CHECKING:
    from img.application.packages.find import UnreadRecord
    from img.application.usecases.compare_images import ImageComparison
    from img.domain.image_difference import Difference
    from img.domain.sbom.bill import Bill

log = logger("packages")

_HEADERS = ("NAME", "VERSION", "TYPE", "LICENSE", "LOCATION")
_MARKS = {"added": "+", "removed": "-", "changed": "~"}
_SHOWN_UNREAD = 5
_PARTS = ("config", "packages", "files")


class BillFormat(StrEnum):
    """The documents of ``img sbom``."""

    TABLE = "table"
    SPDX = "spdx-json"
    CYCLONEDX = "cyclonedx-json"


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        "sbom",
        cls=commands.followed_by("NAME"),
        short_help="List the packages of an image, as SPDX, CycloneDX or a table.",
    )(sbom)
    app.command(
        "diff",
        cls=commands.followed_by("NAME NAME"),
        short_help="Compare two images: files, packages and configuration.",
    )(diff)


@shared_options
def sbom(
    session: Session,
    names: Names = None,
    shape: Annotated[
        BillFormat, typer.Option("--format", "-f", help="Print this document.")
    ] = BillFormat.TABLE,
    output: Annotated[
        str,
        typer.Option("--output", "-o", help="Write to a file instead of stdout.", metavar="FILE"),
    ] = "",
    platform: WhichPlatform = "",
) -> None:
    """List the packages of an image: a software bill of materials (SBOM).

    Nothing is unpacked, and no scanner is needed: the packages of Debian (dpkg), Alpine (apk) and
    rpm, of Python, npm, Ruby, Composer and Java, and those in Go and Rust programs are read from
    the layers.
    """
    if not names or len(names) != 1:
        raise UsageError("must pass an image to list the packages of")
    name, which = ImageName.parse(names[0]), platform_of(platform)
    with session.open() as container:
        created = _created(container.system.clock().now())
        bill, unread = container.images.list_packages()(
            name, which, created=created, tool_version=__version__
        )
        _warn(unread)
        text = _document(bill, shape)
        if output:
            with container.system.output_files().file(output) as file:
                file.write(text.encode("utf-8"))
            return
    say_lines([text])


@shared_options
def diff(
    session: Session,
    names: Names = None,
    only: Annotated[
        str,
        typer.Option(
            "--only",
            help="Compare only this: config, packages or files.",
            metavar="PART",
            show_default=False,
        ),
    ] = "",
    shape: Annotated[
        str,
        typer.Option("--format", "-f", help="Print as text or json.", metavar="FORMAT"),
    ] = "text",
    platform: WhichPlatform = "",
) -> None:
    """Compare two images: what the second one adds (+), removes (-) and changes (~)."""
    if not names or len(names) != 2:
        raise UsageError("must pass two images to compare")
    if only and only not in _PARTS:
        raise UsageError(f"--only {only}: must be one of {', '.join(_PARTS)}")
    if shape not in ("text", "json"):
        raise UsageError(f"--format {shape}: must be text or json")
    parts = [only] if only else _PARTS
    before, after = map(ImageName.parse, names)
    with session.open() as container:
        compare = container.images.compare_images()
        compared = compare(before, after, platform_of(platform), parts=parts)
        _warn(compared.unread)
    differences = {part: getattr(compared, part) for part in parts}
    if shape == "json":
        say_json(_comparison(compared, differences), indent=2)
    else:
        say_lines(_lines(compared, differences))


def _created(now: datetime) -> datetime:
    """Return the time of the documents. Raises UsageError for a wrong SOURCE_DATE_EPOCH."""
    text = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not text:
        return now
    try:
        return datetime.fromtimestamp(int(text), UTC)
    except (ValueError, OverflowError, OSError):
        raise UsageError(f"SOURCE_DATE_EPOCH={text}: not a time in seconds since 1970") from None


def _warn(unread: "Sequence[UnreadRecord]") -> None:
    for record in unread[:_SHOWN_UNREAD]:
        log.warning(f"packages of /{record.path} are not listed: {record.reason}")
    if len(unread) > _SHOWN_UNREAD:
        log.warning(f"packages of {len(unread) - _SHOWN_UNREAD} more files are not listed")


def _document(bill: "Bill", shape: BillFormat) -> str:
    match shape:
        case BillFormat.SPDX:
            from img.domain.sbom.spdx import spdx_document

            document = spdx_document(bill)
        case BillFormat.CYCLONEDX:
            from img.domain.sbom.cyclonedx import cyclonedx_document

            document = cyclonedx_document(bill)
        case BillFormat.TABLE:
            return "".join(aligned([_HEADERS, *_rows(bill)]))
    from img.domain.shown_text import shown_json

    return f"{shown_json(json.dumps(document, indent=2, ensure_ascii=False))}\n"


def _rows(bill: "Bill") -> Iterator[Sequence[str]]:
    for package in bill.packages:
        yield (
            package.name,
            package.version,
            package.kind,
            " ".join(package.license.split()),
            f"/{package.location}",
        )


def _comparison(
    compared: "ImageComparison", differences: "Mapping[str, Sequence[Difference]]"
) -> dict[str, object]:
    return {
        "sizes": list(compared.sizes),
        "layers": list(compared.layers),
        "commonLayers": compared.common_layers,
        **{
            part: [
                {
                    "kind": each.kind,
                    "name": each.name,
                    "details": list(each.details),
                    "growth": each.growth,
                }
                for each in listed
            ]
            for part, listed in differences.items()
        },
    }


def _lines(
    compared: "ImageComparison", differences: "Mapping[str, Sequence[Difference]]"
) -> Iterator[str]:
    from img.domain.shown_text import shown_in_line

    before, after = compared.sizes
    yield f"size: {bytes_size(before)} → {bytes_size(after)}\n"
    old, new = compared.layers
    yield f"layers: {old} → {new}, {compared.common_layers} in common\n"
    for part, listed in differences.items():
        yield f"{part}: {len(listed) or 'no'} difference{'' if len(listed) == 1 else 's'}\n"
        for each in listed:
            details = f" ({', '.join(each.details)})" if each.details else ""
            # A value may have lines that look like other differences.
            yield f"  {_MARKS[each.kind]} {shown_in_line(f'{each.name}{details}')}\n"
