"""``img image prune``, ``img system prune``."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from img.domain.errors import UsageError
from img.entrypoints.cli import commands
from img.entrypoints.cli.images import image_filter
from img.entrypoints.cli.output import say
from img.entrypoints.cli.params import shared_options
from img.entrypoints.cli.session import Needs, Session
from img.entrypoints.cli.tables import bytes_size
from img.entrypoints.settings import host_platform

if TYPE_CHECKING:
    from img.entrypoints.wiring.root import Container

_FILTERS = ("until=", "label=", "label!=")


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        "image prune",
        cls=commands.followed_by(),
        short_help="Remove images without a tag, or all.",
    )(image_prune)
    app.command(
        "system prune",
        cls=commands.followed_by(),
        short_help="Remove images without a tag, and the build cache.",
    )(system_prune)


All = Annotated[bool, typer.Option("--all", "-a", help="Remove all images.")]
Force = Annotated[
    bool, typer.Option("--force", "-f", help="Do not ask before all images are removed.")
]
Filters = Annotated[
    list[str] | None,
    typer.Option(
        "--filter", help="until=TIME, label=KEY[=VALUE], label!=KEY. Repeatable.", metavar="FILTER"
    ),
]


@shared_options
def image_prune(
    session: Session,
    everything: All = False,
    force: Force = False,
    filters: Filters = None,
) -> None:
    """Remove images that no tag names. With --all, remove all: img cannot tell which are in use."""
    _check(filters)
    _ask(everything, force)
    with session.open(needs=Needs.STATE) as container:
        freed = _remove_images(container, everything, filters)
    say(f"Total reclaimed space: {bytes_size(freed)}")


@shared_options
def system_prune(
    session: Session,
    everything: All = False,
    force: Force = False,
    filters: Filters = None,
    volumes: Annotated[  # noqa: ARG001 (img has none)
        bool, typer.Option("--volumes", help="Ignored: img has no volumes.")
    ] = False,
) -> None:
    """Remove images that no tag names, and the build cache that no image needs."""
    from img.domain.retention import PrunePolicy
    from img.domain.usage import Since, parse_filters

    _check(filters)
    _ask(everything, force)
    with session.open(needs=Needs.STATE) as container:
        freed = _remove_images(container, everything, filters)
        of_cache = [each for each in filters or () if each.startswith("until=")]
        if len(of_cache) == len(filters or ()):  # the cache has no labels
            wanted = parse_filters(of_cache, Since(container.system.clock().now()))
            items = container.housekeeping.prune()(PrunePolicy(filter=wanted))
            freed += sum(item.size for item in items)
            say(f"Deleted build cache objects: {len(items)}")
    say(f"Total reclaimed space: {bytes_size(freed)}")


def _remove_images(container: "Container", everything: bool, filters: list[str] | None) -> int:
    """Remove images, print their names and IDs, and return the number of freed bytes."""
    now = container.system.clock().now()
    wanted = image_filter(container.images.list_images(), filters, [], now)
    pruned = container.housekeeping.prune_images()(host_platform(), wanted, everything=everything)
    if pruned.removed:
        say("Deleted Images:")
    for listed in pruned.removed:
        if listed.image.reference:
            say(f"untagged: {listed.image.reference.familiar}")
    for id_ in pruned.deleted:
        say(f"deleted: {id_}")
    return int(pruned.freed)


def _check(filters: list[str] | None) -> None:
    for each in filters or ():
        if not each.startswith(_FILTERS):
            known = ", ".join(name.rstrip("=") for name in _FILTERS)
            raise UsageError(f'"{each}" is no filter', hint=f"known: {known}")


def _ask(everything: bool, force: bool) -> None:
    """Ask before all images are removed. Raises UsageError without a terminal, Exit for no."""
    if not everything or force:
        return
    if not sys.stdin.isatty():
        raise UsageError("--all removes all images", hint="say --force if that is meant")
    if not typer.confirm("This will remove all images. Are you sure you want to continue?"):
        raise typer.Exit(1)
