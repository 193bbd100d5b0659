"""``img du``, ``prune``, ``fsck``."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from img.domain.errors import UsageError
from img.entrypoints.cli import commands
from img.entrypoints.cli.formats import Format, is_template, show_rows
from img.entrypoints.cli.output import say, say_json, say_text
from img.entrypoints.cli.params import shared_options
from img.entrypoints.cli.session import Needs, Session
from img.entrypoints.cli.tables import bytes_size, human_duration, render_table

if TYPE_CHECKING:
    from img.domain.usage import UsageFilter, UsedItem


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("du", cls=commands.followed_by(), short_help="Show image disk usage.")(du)
    app.command(
        "fsck",
        cls=commands.followed_by(),
        short_help="Check that stored images and blobs are complete.",
    )(fsck)
    app.command(
        "prune", cls=commands.followed_by(), short_help="Prune and clean up the build cache."
    )(prune)


def _size(*names: str, says: str) -> Any:
    return typer.Option(*names, help=says, metavar="BYTES", show_default=False)


Extra = Annotated[list[str] | None, typer.Argument(hidden=True)]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show all fields.")]
_HEADERS = {
    "ID": "ID",
    "Type": "TYPE",
    "Description": "DESCRIPTION",
    "Size": "SIZE",
    "Reclaimable": "RECLAIMABLE",
    "KeptBy": "KEPT BY",
    "Mutable": "MUTABLE",
    "CreatedAt": "CREATED AT",
    "LastUsedAt": "LAST USED AT",
    "UsageCount": "USAGE COUNT",
}
CACHE_ALONE = "img.cache-alone"  # in the context of a prune that does not remove images
_FILTER_HELP = "Select by a part of the name, or by NAME=VALUE (id, type, until, …). Repeatable."


@shared_options
def du(
    session: Session,
    extra: Extra = None,
    filters: Annotated[
        list[str] | None, typer.Option("--filter", "-f", help=_FILTER_HELP, metavar="FILTER")
    ] = None,
    verbose: Verbose = False,
    shape: Format = "",
) -> None:
    """Show the contents of the state, their sizes, and which of them can be removed."""
    _refuse(extra)
    with session.open(needs=Needs.STATE) as container:
        now = container.system.clock().now()
        used = container.housekeeping.disk_usage()(_parsed(filters, now))
    _show(used, shape, now, verbose=verbose)
    if not filters and shape in ("", "table"):
        free = sum(item.size for item in used if item.reclaimable)
        _show_totals(("Reclaimable:", free), ("Total:", sum(item.size for item in used)))


@shared_options
def prune(
    ctx: typer.Context,
    session: Session,
    extra: Extra = None,
    everything: Annotated[
        bool,
        typer.Option("--all", "-a", help="Remove cache mounts and all cache records too."),
    ] = False,
    filters: Annotated[
        list[str] | None, typer.Option("--filter", help=_FILTER_HELP, metavar="FILTER")
    ] = None,
    max_used: Annotated[
        str, _size("--max-used-space", says="Keep at most this much, the most recently used.")
    ] = "",
    min_free: Annotated[
        str, _size("--min-free-space", says="Stop when this much of the disk is free.")
    ] = "",
    reserved: Annotated[
        str, _size("--reserved-space", "--keep-storage", says="Always keep this much.")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be removed, remove nothing.")
    ] = False,
    force: Annotated[  # noqa: ARG001 (docker asks without it; img never does)
        bool, typer.Option("--force", "-f", help="Do not ask (img never asks).")
    ] = False,
    verbose: Verbose = False,
    shape: Format = "",
) -> None:
    """Prune the build cache and images without a name, unless a running build needs them."""
    _refuse(extra)
    from img.domain.retention import PrunePolicy
    from img.domain.usage import Kind

    with session.open(needs=Needs.STATE) as container:
        now = container.system.clock().now()
        policy = PrunePolicy(
            filter=_parsed(filters, now),
            max_used=_bytes("--max-used-space", max_used),
            min_free=_bytes("--min-free-space", min_free),
            reserved=_bytes("--reserved-space", reserved) or 0,
            whole_cache=everything and not (filters or max_used or min_free or reserved),
            images=not ctx.meta.get(CACHE_ALONE),
        )
        if everything or policy.filter.kinds:
            policy = replace(policy, kinds=policy.kinds | {Kind.CACHE_MOUNT, Kind.HISTORY})
        removed = container.housekeeping.prune()(policy, dry_run=dry_run)
    _show(removed, shape, now, verbose=verbose)
    if shape in ("", "table"):
        # Files that running builds may read are deleted when these builds end.
        reclaimed = sum(item.size for item in removed if item.reclaimable)
        _show_totals(
            ("Reclaimable:" if dry_run else "Reclaimed:", reclaimed),
            ("Total:", sum(item.size for item in removed)),
        )


@shared_options
def fsck(
    session: Session,
    extra: Extra = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Fetch damaged blobs again, delete unusable files.")
    ] = False,
) -> None:
    """Check that every image is complete, and that every blob has the content of its digest."""
    _refuse(extra)
    with session.open() as container:
        report = container.housekeeping.check_store()(repair=repair)
    for finding in report.findings:
        say(finding.text)
    wrong = sum(each.is_fault and not each.repaired for each in report.findings)
    say(f"{report.blobs} blobs and {report.images} images checked, {wrong} faults left")
    if not report.clean:
        raise typer.Exit(8)


def _refuse(extra: list[str] | None) -> None:
    if extra:
        raise UsageError("no arguments expected")


def _parsed(filters: list[str] | None, now: datetime) -> "UsageFilter":
    from img.domain.usage import Since, parse_filters

    return parse_filters(filters or (), Since(now))


def _bytes(name: str, text: str) -> int | None:
    from img.entrypoints.settings import byte_size

    return byte_size(name, text) if text else None


def _show(items: "Sequence[UsedItem]", shape: str, now: datetime, *, verbose: bool) -> None:
    if shape == "json":
        for item in items:
            say_json(_fields(item))
        return
    if is_template(shape):
        show_rows(shape, [_fields(item) for item in items], _HEADERS)
        return
    if verbose:
        for item in items:
            say_text(render_table(_lines(item, now)) + "\n")
        return
    rows = [
        (
            f"{item.id[:25]}{'*' if item.mutable else ''}",
            str(item.reclaimable).lower(),
            bytes_size(item.size),
            _short(item.description),
        )
        for item in items
    ]
    say_text(render_table([("ID", "RECLAIMABLE", "SIZE", "DESCRIPTION"), *rows]))


def _fields(item: "UsedItem") -> dict[str, object]:
    return {
        "ID": item.id,
        "Type": item.kind.value,
        "Description": item.description,
        "Size": item.size,
        "Reclaimable": item.reclaimable,
        "KeptBy": item.kept_by,
        "Mutable": item.mutable,
        "CreatedAt": item.created.isoformat() if item.created else None,
        "LastUsedAt": item.used.isoformat() if item.used else None,
        "UsageCount": item.uses,
    }


def _lines(item: "UsedItem", now: datetime) -> list[tuple[str, str]]:
    lines = [("ID:", item.id)]
    if item.created:
        lines.append(("Created at:", item.created.isoformat()))
    lines += [
        ("Mutable:", str(item.mutable).lower()),
        ("Reclaimable:", str(item.reclaimable).lower()),
    ]
    if item.kept_by:
        lines.append(("Kept by:", item.kept_by))
    lines += [("Size:", bytes_size(item.size)), ("Description:", item.description)]
    if item.uses:
        lines.append(("Usage count:", str(item.uses)))
    if item.used:
        lines.append(("Last used:", f"{human_duration((now - item.used).total_seconds())} ago"))
    return [*lines, ("Type:", item.kind.value)]


def _show_totals(*totals: tuple[str, int]) -> None:
    say_text(render_table([(name, bytes_size(size)) for name, size in totals]))


def _short(description: str) -> str:
    return description if len(description) <= 50 else f"{description[:50]}..."
