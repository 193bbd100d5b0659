"""``img lock``, and the lock file of ``--locked``."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from img.domain.errors import ContextError, UsageError
from img.domain.lock import BadLock, Lock
from img.domain.options.pull import parse_pull
from img.domain.options.secrets import AgentSpec, SecretSpec
from img.entrypoints.cli import options
from img.entrypoints.cli.build_request import build_request, platforms
from img.entrypoints.cli.options import RegistryOptions, Texts, option
from img.entrypoints.cli.output import say, say_text
from img.entrypoints.cli.params import shared_options
from img.entrypoints.cli.session import Session
from img.entrypoints.settings import RegistryAccess

if TYPE_CHECKING:
    from collections.abc import Callable

    from img.application.transfer.locked_pins import LockedPins
    from img.entrypoints.wiring.root import Container

_NAME = "img.lock"
_LARGEST = 16 << 20  # bytes


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "lock",
        cls=options.followed_by("PATH", implied={"--update": ""}),
        short_help="Write the digests of images, downloads and commits to img.lock.",
    )(lock)


@shared_options
def lock(
    session: Session,
    registries: RegistryOptions,
    path: Annotated[Texts, typer.Argument(hidden=True)] = None,
    file: Annotated[
        str | None,
        option(
            "--file", "-f", says="Read this Dockerfile (default: PATH/Dockerfile).", value="FILE"
        ),
    ] = None,
    build_arg: Annotated[
        Texts, option("--build-arg", says="Set a build-time variable.", value="KEY[=VALUE]")
    ] = None,
    target: Annotated[
        str, option("--target", says="Lock up to this stage (default: all stages).", value="STAGE")
    ] = "",
    platform: Annotated[
        Texts,
        option(
            "--platform",
            says="Lock for these platforms (default: this machine's).",
            value="OS/ARCH",
        ),
    ] = None,
    build_context: Annotated[
        Texts, option("--build-context", says="Add a named build context.", value="NAME=PLACE")
    ] = None,
    secret: Annotated[
        Texts,
        option("--secret", says="Give a secret for downloads.", value="id=ID[,src=FILE|,env=NAME]"),
    ] = None,
    ssh: Annotated[
        Texts, option("--ssh", says="Use an SSH agent or keys for git.", value="ID[=SOCKET|KEY]")
    ] = None,
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
) -> None:
    """Write the digests of the images, downloads and git refs of a build to img.lock.

    `img build --locked` uses exactly these.
    """
    from img.application.transfer.locked_pins import RecordingPins

    if len(path or []) != 1 or not path or not path[0]:
        raise UsageError("must pass a path to lock", hint="such as `img lock .`")
    if check and (diff or update):
        raise UsageError("--check excludes --diff and --update")
    location = path[0]
    place = lock_place(location, lockfile)
    before = read_lock(place) if check or os.path.exists(place) else Lock()
    pins = RecordingPins(before, _keeps(["", *(update or [])] if diff else update or [], before))
    request = build_request(
        build_args=build_arg or [],
        labels=[],
        target=target,
        no_cache=False,
        no_cache_filter=[],
        pull=parse_pull("always"),
        network="",
        host_network=False,
        hosts=[],
        shm_size="",
        ulimits=[],
        contexts=[each for each in build_context or [] if each],
    )
    with session.open(
        quiet=True,
        access=replace(registries, insecure=True).access(()),
        secrets=tuple(SecretSpec.parse(text) for text in secret or [] if text),
        agents=tuple(AgentSpec.parse(text) for text in ssh or [] if text),
        pins=pins,
    ) as container:
        container.building.lock_build()(
            request, location=location, file=file or None, platforms=platforms(platform or [])
        )
        after = pins.noted
        differences = list(before.differences(after))
        if not (check or diff):
            with container.system.output_files().file(place) as output:
                output.write(after.render().encode())
    say_text("".join(f"{line}\n" for line in differences))
    if check and differences:
        raise UsageError(f"{place} is not up to date", hint=f"`img lock {location}` writes it")
    if not (check or diff):
        say(f"Wrote {place}", error=True)


@contextmanager
def recording_lock(
    session: Session,
    place: str,
    *,
    update: bool,
    keep: bool,
    access: RegistryAccess,
    secrets: tuple[SecretSpec, ...],
    agents: tuple[AgentSpec, ...],
) -> "Iterator[Container]":
    """Enter with a container that notes names, and write the lock file ``place`` at the end.

    With ``update`` entries that exist are looked up again; with ``keep`` those of other names stay.
    Raises BadLock, OutputNotWritten.
    """
    from img.application.transfer.locked_pins import RecordingPins

    before = read_lock(place) if os.path.exists(place) else Lock()
    pins = RecordingPins(before, lambda _name: not update)
    with session.open(
        quiet=True, access=access, secrets=secrets, agents=agents, pins=pins
    ) as container:
        yield container
        after = before | pins.noted if keep else pins.noted
        with container.system.output_files().file(place) as output:
            output.write(after.render().encode())
    say_text("".join(f"{line}\n" for line in before.differences(after)))
    say(f"Wrote {place}", error=True)


def _keeps(update: list[str], lock: Lock) -> "Callable[[str], bool]":
    """Return whether the entry of a name stays. Raises UsageError for a name without an entry."""
    from img.domain.reference import ImageReference

    if "" in update:
        return lambda _name: False
    entries = {*lock.urls, *lock.commits, *(name for name, _ in lock.images)}
    chosen = set()
    for name in update:
        found = name if name in entries else str(ImageReference.parse(name))
        if found not in entries:
            raise UsageError(f"{name} has no entry in the lock file", hint="leave --update out")
        chosen.add(found)
    return lambda name: name not in chosen


def lock_place(location: str, lockfile: str) -> str:
    """Return the path of the lock file: in the context if that is a directory, else here."""
    if lockfile:
        return lockfile
    return os.path.join(location, _NAME) if os.path.isdir(location) else _NAME


def read_lock(place: str) -> Lock:
    """Return the lock in a file. Raises ContextError, BadLock."""
    try:
        with Path(place).open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise ContextError(
            f"cannot read {place}: {(error.strerror or str(error)).lower()}",
            hint="`img lock` writes it",
        ) from None
    if len(content) > _LARGEST:
        raise BadLock(f"{place} is larger than {_LARGEST >> 20} MiB")
    return Lock.parse(content)


def locked_pins(location: str, lockfile: str) -> "LockedPins":
    """Return the entries of the lock file for ``--locked``. Raises ContextError, BadLock."""
    from img.application.transfer.locked_pins import LockedPins

    return LockedPins(read_lock(lock_place(location, lockfile)))
