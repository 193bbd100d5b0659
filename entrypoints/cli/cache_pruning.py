"""``img builder prune``, ``img buildx prune``: as with Docker, they remove no images."""

from functools import wraps

import typer

from img.entrypoints.cli import commands
from img.entrypoints.cli.state import CACHE_ALONE, prune


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "builder prune", cls=commands.followed_by(), short_help="Remove build cache, but no images."
    )(builder_prune)


@wraps(prune)
def builder_prune(ctx: typer.Context, **given: object) -> None:
    ctx.meta[CACHE_ALONE] = True
    prune(ctx, **given)


builder_prune.__doc__ = "Prune the build cache that no image and no running build needs."
