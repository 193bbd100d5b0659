"""``img tags``, ``catalog``, ``referrers``: what registries have."""

from typing import Annotated

import typer

from img.domain.errors import UsageError
from img.domain.reference import ImageReference, registry_of
from img.entrypoints.cli import options
from img.entrypoints.cli.images import Names
from img.entrypoints.cli.output import say, say_text
from img.entrypoints.cli.session import Needs, Session
from img.entrypoints.cli.tables import bytes_size, render_table


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        "catalog",
        cls=options.followed_by("SERVER"),
        short_help="List the repositories of a registry.",
    )(catalog)
    app.command(
        "referrers",
        cls=options.followed_by("NAME"),
        short_help="List what refers to an image in a registry.",
    )(referrers)
    app.command(
        "tags",
        cls=options.followed_by("NAME"),
        short_help="List the tags of a repository in a registry.",
    )(tags)


def tags(
    ctx: typer.Context,
    names: Names = None,
    insecure: options.Insecure = False,
    tls_verify: options.TlsVerify = True,
    authfile: options.AuthFile = "",
    state: options.State = None,
    backend: options.Backend = None,
    debug: options.Debug = False,
) -> None:
    """List the tags of a repository in a registry, one a line."""
    reference = _one(names)
    access = options.access(
        {reference.domain}, insecure=insecure, tls_verify=tls_verify, auth_file=authfile
    )
    session: Session = ctx.obj
    with session.open(
        state=state, backend=backend, debug=debug, needs=Needs.REGISTRY, access=access
    ) as container:
        for tag in container.registries.contents().tags(reference):
            say(tag)


def catalog(
    ctx: typer.Context,
    server: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    insecure: options.Insecure = False,
    tls_verify: options.TlsVerify = True,
    authfile: options.AuthFile = "",
    state: options.State = None,
    backend: options.Backend = None,
    debug: options.Debug = False,
) -> None:
    """List the repositories of a registry, one a line. Docker Hub and others have no such list."""
    if not server or len(server) != 1:
        raise UsageError("must pass a registry", hint="such as registry.example.com:5000")
    where = registry_of(server[0])
    access = options.access({where}, insecure=insecure, tls_verify=tls_verify, auth_file=authfile)
    session: Session = ctx.obj
    with session.open(
        state=state, backend=backend, debug=debug, needs=Needs.REGISTRY, access=access
    ) as container:
        for name in container.registries.contents().repositories(where):
            say(name)


def referrers(
    ctx: typer.Context,
    names: Names = None,
    artifact_type: Annotated[
        str, typer.Option("--artifact-type", help="Only those of this type.", metavar="TYPE")
    ] = "",
    insecure: options.Insecure = False,
    tls_verify: options.TlsVerify = True,
    authfile: options.AuthFile = "",
    state: options.State = None,
    backend: options.Backend = None,
    debug: options.Debug = False,
) -> None:
    """List what refers to an image in a registry: signatures, attestations, lists of contents."""
    reference = _one(names)
    access = options.access(
        {reference.domain}, insecure=insecure, tls_verify=tls_verify, auth_file=authfile
    )
    session: Session = ctx.obj
    with session.open(
        state=state, backend=backend, debug=debug, needs=Needs.REGISTRY, access=access
    ) as container:
        subject = reference.digest or container.registries.registry().resolve(reference).digest
        found = list(container.registries.contents().referrers(reference, subject, artifact_type))
    rows = [(str(one.digest), bytes_size(one.size), one.artifact_type) for one in found]
    say_text(render_table([("DIGEST", "SIZE", "ARTIFACT TYPE"), *rows]))


def _one(names: list[str] | None) -> ImageReference:
    if not names or len(names) != 1:
        raise UsageError("must pass an image or repository")
    return ImageReference.parse(names[0])
