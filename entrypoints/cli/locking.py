"""``img lock``."""

from dataclasses import replace
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from img.domain.errors import UsageError
from img.domain.options.pull import parse_pull
from img.domain.options.secrets import AgentSpec, SecretSpec
from img.entrypoints.cli import commands, options
from img.entrypoints.cli.build_options import BuildInputs
from img.entrypoints.cli.build_request import build_request, platforms
from img.entrypoints.cli.options import RegistryOptions, Texts, option
from img.entrypoints.cli.params import shared_options
from img.entrypoints.cli.session import Session

if TYPE_CHECKING:
    from img.domain.options.lock import LockChanges


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "lock",
        cls=commands.followed_by("PATH", implied={"--update": ""}),
        short_help="Write the digests of images, downloads and commits to img.lock.",
    )(lock)


@shared_options
def lock(
    session: Session,
    registries: RegistryOptions,
    inputs: BuildInputs,
    path: Annotated[Texts, typer.Argument(hidden=True)] = None,
    lockfile: options.LockFile = "",
    update: Annotated[
        Texts,
        option(
            "--update", says="Look up all names again, or this one. Repeatable.", value="[=NAME]"
        ),
    ] = None,
    check: Annotated[
        bool,
        option("--check", says="Write nothing; fail if the file has other names than the build."),
    ] = False,
    diff: Annotated[
        bool, option("--diff", says="Write nothing; print what --update would change.")
    ] = False,
) -> "LockChanges":
    """Write the digests of the images, downloads and git refs of a build to img.lock.

    `img build --locked` uses exactly these.
    """
    from img.domain.options.lock import LockChanges, LockMode
    from img.entrypoints.cli.lock_files import LockFile, lock_place  # `img --help` needs none

    if len(path or []) != 1 or not path or not path[0]:
        raise UsageError("must pass a path to lock", hint="such as `img lock .`")
    mode = LockMode(check=check, diff=diff, update=tuple(update or ()))
    location = path[0]
    file = LockFile.open(
        lock_place(location, lockfile), mode, command=f"img lock {quote(location)}"
    )
    request = build_request(
        build_args=inputs.build_arg,
        labels=[],
        target=inputs.target,
        no_cache=False,
        no_cache_filter=[],
        pull=parse_pull("always"),
        network="",
        host_network=False,
        hosts=[],
        shm_size="",
        ulimits=[],
        contexts=inputs.build_context,
    )
    with session.open(
        quiet=True,
        access=replace(registries, insecure=True).access(()),
        secrets=tuple(map(SecretSpec.parse, inputs.secret)),
        agents=tuple(map(AgentSpec.parse, inputs.ssh)),
        pins=file.pins,
    ) as container:
        container.dockerfiles.lock_build()(
            request,
            location=location,
            file=inputs.file or None,
            platforms=platforms(inputs.platform),
        )
        return LockChanges(file.finish(container.system.output_files()))
