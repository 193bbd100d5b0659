"""``img ls``, ``inspect``, ``tag``, ``rm``."""

from collections.abc import Callable
from functools import partial
from typing import Annotated

import typer

from img.domain.errors import UsageError
from img.domain.image_name import ImageName
from img.domain.json_text import parse_json
from img.domain.reference import ImageReference
from img.entrypoints.cli import options
from img.entrypoints.cli.output import say, say_json, say_text
from img.entrypoints.cli.session import Needs, Session
from img.entrypoints.cli.tables import bytes_size, human_duration, render_table
from img.entrypoints.settings import host_platform


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        "inspect",
        cls=options.followed_by("NAME"),
        short_help="Return the JSON-encoded OCI image config.",
    )(inspect)
    app.command("ls", cls=options.followed_by(), short_help="List images and digests.")(ls)
    app.command("rm", cls=options.followed_by("NAME..."), short_help="Remove one or more images.")(
        rm
    )
    app.command(
        "tag",
        cls=options.followed_by("SOURCE_IMAGE TARGET_IMAGE"),
        short_help="Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE.",
    )(tag)


Names = Annotated[list[str] | None, typer.Argument(hidden=True)]


def ls(
    ctx: typer.Context,
    extra: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    containing: options.Filter = "",
    state: options.State = None,
    backend: options.Backend = None,
    debug: options.Debug = False,
) -> None:
    """List images and digests."""
    if extra:
        raise UsageError("no arguments expected")
    session: Session = ctx.obj
    with session.open(state=state, backend=backend, debug=debug) as container:
        now = container.clock().now()
        images = container.list_images()(host_platform(), containing)
    rows = [
        (
            str(listed.image.reference or "<none>"),
            "damaged" if listed.size is None else bytes_size(listed.size),
            f"{human_duration((now - listed.image.created).total_seconds())} ago",
            f"{human_duration((now - listed.image.updated).total_seconds())} ago",
            str(listed.image.target.digest),
        )
        for listed in images
    ]
    header = ("NAME", "SIZE", "CREATED AT", "UPDATED AT", "DIGEST")
    say_text(render_table([header, *rows]))


def inspect(
    ctx: typer.Context,
    names: Names = None,
    state: options.State = None,
    backend: options.Backend = None,
    debug: options.Debug = False,
) -> None:
    """Return the JSON-encoded OCI image config."""
    if not names or len(names) != 1:
        raise UsageError("must pass an image to inspect")
    name = ImageName.parse(names[0])
    session: Session = ctx.obj
    with session.open(state=state, backend=backend, debug=debug) as container:
        config = parse_json(container.inspect_image()(name, host_platform()))
    say_json(config, indent="\t")


def tag(
    ctx: typer.Context,
    names: Names = None,
    state: options.State = None,
    backend: options.Backend = None,
    debug: options.Debug = False,
) -> None:
    """Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE."""
    if not names or len(names) != 2:
        raise UsageError("must pass an image or repository and target to tag")
    source, target = ImageName.parse(names[0]), ImageReference.parse(names[1])
    session: Session = ctx.obj
    with session.open(state=state, backend=backend, debug=debug) as container:
        container.tag_image()(source, target)
    say(f"Successfully tagged {names[0]} as {names[1]}")


def rm(
    ctx: typer.Context,
    names: Names = None,
    remote: Annotated[
        bool, typer.Option("--remote", help="Remove them from their registry, not from here.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", "-f", help="By an ID, remove names in all repositories.")
    ] = False,
    insecure: options.Insecure = False,
    tls_verify: options.TlsVerify = True,
    authfile: options.AuthFile = "",
    state: options.State = None,
    backend: options.Backend = None,
    debug: options.Debug = False,
) -> None:
    """Remove one or more images."""
    if not names:
        raise UsageError("must pass an image to remove")
    images = [] if remote else [ImageName.parse(name) for name in names]
    references = [ImageReference.parse(name) for name in names] if remote else []
    session: Session = ctx.obj
    with session.open(
        state=state,
        backend=backend,
        debug=debug,
        needs=Needs.NOTHING if remote else Needs.STATE,
        access=options.access(
            {name.domain for name in references},
            insecure=insecure,
            tls_verify=tls_verify,
            auth_file=authfile,
        ),
    ) as container:
        removals: list[Callable[[], object]] = (
            [partial(container.registry_contents().delete, each) for each in references]
            if remote
            else [
                partial(container.housekeeping.remove_image(), each, force=force) for each in images
            ]
        )
        for name, remove in zip(names, removals, strict=True):
            say(f"Removing {name}...")
            remove()
            say(f"Successfully removed {name}")
