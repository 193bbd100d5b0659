"""``img inspect``."""

from typing import TYPE_CHECKING, Annotated

import typer

from img.domain.errors import ImgError, UsageError
from img.domain.image_name import ImageName
from img.entrypoints.cli import commands
from img.entrypoints.cli.failures import report
from img.entrypoints.cli.images import Names
from img.entrypoints.cli.output import say_json, say_lines
from img.entrypoints.cli.params import shared_options
from img.entrypoints.cli.session import Session
from img.entrypoints.settings import host_platform

if TYPE_CHECKING:
    from img.domain.go.template.values import Value
    from img.domain.platform import WantedPlatform
    from img.entrypoints.wiring.root import Container

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
    """Add the command."""
    app.command(
        "inspect",
        cls=commands.followed_by("NAME..."),
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
    attestations: Annotated[
        bool,
        typer.Option("--attestations", help="Show the attestations of each image as well."),
    ] = False,
) -> None:
    """Show details of images, given by name, ID or digest, in the format of docker inspect."""
    if not names or (config and len(names) != 1):
        raise UsageError("must pass an image to inspect")
    if kind not in ("", "image"):
        raise UsageError(f"--type {kind}: there are images only")
    if config and shape:
        raise UsageError("--config and --format are mutually exclusive")
    wanted, which = [ImageName.parse(name) for name in names], platform_of(platform)
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
                if attestations:
                    documents[-1] = _with_attestations(documents[-1], container, name)
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


def _with_attestations(document: "Value", container: "Container", name: ImageName) -> "Value":
    from img.entrypoints.cli.attesting import described

    document["Attestations"] = described(container.images.list_attestations().of_name(name))
    return document


def platform_of(text: str) -> "WantedPlatform":
    """Return the platform of ``--platform``, by default that of this machine."""
    from img.domain.platform import DefaultPlatform, Platform

    host = host_platform()
    return Platform.parse(text, host) if text else DefaultPlatform(host)
