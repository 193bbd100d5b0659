"""``img tags``, ``catalog``, ``referrers``."""

from typing import Annotated

import typer

from img.domain.errors import UsageError
from img.domain.reference import ImageReference, registry_of
from img.entrypoints.cli import commands
from img.entrypoints.cli.images import Names
from img.entrypoints.cli.options import RegistryOptions
from img.entrypoints.cli.output import say, say_text
from img.entrypoints.cli.params import shared_options
from img.entrypoints.cli.session import Needs, Session
from img.entrypoints.cli.tables import bytes_size, render_table


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        "catalog",
        cls=commands.followed_by("SERVER"),
        short_help="List the repositories of a registry.",
    )(catalog)
    app.command(
        "referrers",
        cls=commands.followed_by("NAME"),
        short_help="List signatures and attestations of an image in a registry.",
    )(referrers)
    app.command(
        "tags",
        cls=commands.followed_by("NAME"),
        short_help="List the tags of a repository in a registry.",
    )(tags)


@shared_options
def tags(
    session: Session,
    registries: RegistryOptions,
    names: Names = None,
) -> None:
    """List the tags of a repository in a registry, one per line."""
    reference = _one(names)
    access = registries.access({reference.domain})
    with session.open(needs=Needs.REGISTRY, access=access) as container:
        for tag in container.registries.list_tags()(reference):
            say(tag)


@shared_options
def catalog(
    session: Session,
    registries: RegistryOptions,
    server: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
) -> None:
    """List the repositories of a registry, one per line. Docker Hub and others refuse this."""
    if not server or len(server) != 1:
        raise UsageError("must pass a registry", hint="such as registry.example.com:5000")
    where = registry_of(server[0])
    access = registries.access({where})
    with session.open(needs=Needs.REGISTRY, access=access) as container:
        for name in container.registries.list_repositories()(where):
            say(name)


@shared_options
def referrers(
    session: Session,
    registries: RegistryOptions,
    names: Names = None,
    artifact_type: Annotated[
        str, typer.Option("--artifact-type", help="List only this type.", metavar="TYPE")
    ] = "",
) -> None:
    """List manifests that refer to an image in a registry: signatures, attestations, SBOMs."""
    reference = _one(names)
    access = registries.access({reference.domain})
    with session.open(needs=Needs.REGISTRY, access=access) as container:
        found = list(container.registries.list_referrers()(reference, artifact_type))
    rows = [(str(one.digest), bytes_size(one.size), one.artifact_type) for one in found]
    say_text(render_table([("DIGEST", "SIZE", "ARTIFACT TYPE"), *rows]))


def _one(names: list[str] | None) -> ImageReference:
    if not names or len(names) != 1:
        raise UsageError("must pass an image or repository")
    return ImageReference.parse(names[0])
