"""``img build``."""

import os
from typing import Annotated

import typer

from img.domain.build import BuildRequest
from img.domain.errors import UsageError
from img.domain.reference import ImageReference
from img.entrypoints.cli import options
from img.entrypoints.cli.session import Needs, Session
from img.entrypoints.settings import host_platform


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("build", short_help="Build an image from a Dockerfile.")(build)


def build(
    ctx: typer.Context,
    path: Annotated[list[str] | None, typer.Argument(metavar="PATH", show_default=False)] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(
            "--tag",
            "-t",
            help="Name and optionally a tag in the 'name:tag' format.",
            metavar="NAME",
        ),
    ] = None,
    file: Annotated[
        str | None,
        typer.Option(
            "--file",
            "-f",
            help="Name of the Dockerfile (default: PATH/Dockerfile).",
            metavar="FILE",
        ),
    ] = None,
    build_arg: Annotated[
        list[str] | None,
        typer.Option("--build-arg", help="Set build-time variables.", metavar="KEY[=VALUE]"),
    ] = None,
    target: Annotated[
        str, typer.Option("--target", help="Set the target build stage to build.", metavar="STAGE")
    ] = "",
    label: Annotated[
        list[str] | None,
        typer.Option("--label", help="Set metadata for an image.", metavar="KEY=VALUE"),
    ] = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Do not use cache when building the image.")
    ] = False,
    progress: Annotated[
        str, typer.Option("--progress", help="auto, plain, tty or quiet.", metavar="HOW")
    ] = "auto",
    no_console: Annotated[
        bool, typer.Option("--no-console", help="Use plain progress lines.")
    ] = False,
    quiet: options.Quiet = False,
    insecure: options.Insecure = False,
    state: options.State = None,
    backend: options.Backend = None,
    debug: options.Debug = False,
) -> None:
    """Build an image from a Dockerfile."""
    location = _location(path or [])
    tags = [ImageReference.parse(name) for name in tag or []]
    if not tag:
        raise UsageError("please specify an image tag with `-t`")
    request = _request(build_arg or [], label or [], target, no_cache=no_cache)
    if not quiet:
        typer.echo(f"Building {tag[0]}", err=True)
        typer.echo("Setting up the rootfs... this may take a bit.", err=True)
    session: Session = ctx.obj
    with session.open(
        state=state,
        backend=backend,
        debug=debug,
        needs=Needs.BUILD,
        progress="quiet" if quiet else "plain" if no_console else _checked(progress),
        insecure=_registry_of(tags, insecure),
    ) as container:
        image = container.build_image()(request, location=location, file=file, tags=tags)
    if quiet:
        typer.echo(image.manifest.config.digest)
    else:
        typer.echo(f"Successfully built {tag[0]}", err=True)


def _registry_of(tags: list[ImageReference], insecure: bool) -> str | None:
    return tags[0].domain if insecure else None


def _location(path: list[str]) -> str:
    if len(path) != 1:
        raise UsageError("must pass a path to build", hint="such as `img build -t name .`")
    if not path[0]:
        raise UsageError('please specify build context (e.g. "." for the current directory)')
    return path[0]


def _checked(progress: str) -> str:
    if progress not in {"auto", "plain", "tty", "quiet"}:
        raise UsageError(f"invalid progress mode {progress!r}", hint="auto, plain, tty or quiet")
    return progress


def _request(
    build_args: list[str], labels: list[str], target: str, *, no_cache: bool
) -> BuildRequest:
    arguments = _build_args(build_args)
    epoch = arguments.get("SOURCE_DATE_EPOCH")
    if epoch is not None and not epoch.isdigit():
        raise UsageError(f"invalid SOURCE_DATE_EPOCH: {epoch}", hint="give seconds since 1970")
    return BuildRequest(
        platform=host_platform(),
        build_platform=host_platform(),
        build_args=arguments,
        target=target,
        labels=dict(_pair("label", text) for text in labels),
        no_cache=no_cache,
        epoch=int(epoch) if epoch else None,
    )


def _build_args(texts: list[str]) -> dict[str, str]:
    """Return the arguments; a name alone takes its value from the environment, as docker does."""
    arguments: dict[str, str] = {}
    # buildx hands SOURCE_DATE_EPOCH on without being asked.
    if "SOURCE_DATE_EPOCH" in os.environ:
        arguments["SOURCE_DATE_EPOCH"] = os.environ["SOURCE_DATE_EPOCH"]
    for text in texts:
        name, equals, value = text.partition("=")
        if not name:
            raise UsageError(f"invalid build-arg value {text}", hint="use NAME=VALUE")
        if equals:
            arguments[name] = value
        elif name in os.environ:
            arguments[name] = os.environ[name]
    return arguments


def _pair(kind: str, text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise UsageError(f"invalid {kind} value {text}", hint="use NAME=VALUE")
    return name, value
