"""``img manifest``: lists of images for several platforms."""

from typing import Annotated

import typer

from img.domain.errors import UsageError
from img.domain.image_name import ImageName
from img.domain.platform import parse_platforms
from img.domain.reference import ImageReference
from img.entrypoints.cli import commands, options
from img.entrypoints.cli.copying import open_archive, registries_of
from img.entrypoints.cli.options import RegistryOptions, Texts, option
from img.entrypoints.cli.output import say
from img.entrypoints.cli.params import shared_options
from img.entrypoints.cli.session import Session
from img.entrypoints.settings import host_platform

Words = Annotated[Texts, typer.Argument(hidden=True)]


def add_to(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(
        cls=commands.Group,
        help="Make lists of images for several platforms.",
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    group.callback(invoke_without_command=True)(commands.show_help_alone)
    for name, words, says, command in (
        ("create", "LIST [IMAGE...]", "Make a list of images.", create),
        ("add", "LIST IMAGE", "Add an image to a list.", add),
        ("push", "LIST [TARGET]", "Push a list and its images.", push),
    ):
        group.command(name, cls=commands.followed_by(words), short_help=says)(command)
    app.add_typer(group, name="manifest")


@shared_options
def create(
    session: Session,
    registries: RegistryOptions,
    words: Words = None,
    amend: Annotated[bool, option("--amend", says="Add to the list if it exists.")] = False,
    quiet: options.Quiet = False,
) -> None:
    """Make a list of images and store it under a name.

    The platforms are those of the images. An image is one of the store, else of a registry, or a
    place as of `img copy`.
    """
    if not words:
        raise UsageError("must pass a name for the list")
    name, *images = words
    from img.domain.image_place import parse_image_place

    reference = _list_name(name)
    places = [parse_image_place(text) for text in images]
    with session.open(quiet=quiet, access=registries.access(registries_of(places))) as container:
        made = container.images.edit_manifest_list().create(
            reference, places, open_file=open_archive, amend=amend
        )
    say(f"{reference.familiar}: {made.digest}")


@shared_options
def add(
    session: Session,
    registries: RegistryOptions,
    words: Words = None,
    platform: Annotated[
        str, option("--platform", says="List the image for this platform.", value="OS/ARCH")
    ] = "",
    quiet: options.Quiet = False,
) -> None:
    """Add an image to a list, in place of the one for the same platform."""
    if not words or len(words) != 2:
        raise UsageError("must pass a list and an image")
    from img.domain.image_place import parse_image_place

    reference, place = _list_name(words[0]), parse_image_place(words[1])
    wanted = parse_platforms(platform, host_platform()) if platform else ()
    if len(wanted) > 1:
        raise UsageError("--platform takes one platform here")
    with session.open(quiet=quiet, access=registries.access(registries_of([place]))) as container:
        made = container.images.edit_manifest_list().add(
            reference, place, wanted[0] if wanted else None, open_file=open_archive
        )
    say(f"{reference.familiar}: {made.digest}")


@shared_options
def push(
    session: Session,
    registries: RegistryOptions,
    words: Words = None,
    quiet: options.Quiet = False,
) -> None:
    """Push a list, and the images that the registry lacks, under its name or another one."""
    if not words or len(words) > 2:
        raise UsageError("must pass a list, and optionally a target")
    target = ImageReference.parse(words[-1].removeprefix("docker://"))
    with session.open(quiet=quiet, access=registries.access({target.domain})) as container:
        found = container.images.find()(ImageName.parse(words[0]))
        with container.storage.lock().reading():
            published = container.images.publish()(found.target, target)
    if published.left_out:
        say(f"WARNING: {published.difference_from(words[0])}", error=True)
    say(f"Successfully pushed {target.familiar}: {published.digest}")


def _list_name(text: str) -> ImageReference:
    reference = ImageReference.parse(text)
    if reference.digest is not None:
        raise UsageError(f"{text}: a list gets a tag, not a digest")
    return reference
