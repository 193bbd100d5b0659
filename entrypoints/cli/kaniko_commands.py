"""The work of ``img kaniko``: build, push, log in, fetch base images."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from img import __version__
from img.domain.errors import UsageError
from img.domain.kaniko.command_line import Flag, Given, parse
from img.domain.kaniko.flags import EXECUTOR, LOGIN, PUSH, WARMER
from img.domain.kaniko.plan import executor_plan
from img.domain.kaniko.registries import registry_settings
from img.domain.reference import ImageReference
from img.entrypoints.cli.build_request import platforms
from img.entrypoints.cli.kaniko_execution import (
    STATE,
    Execution,
    access_of,
    check_pushes,
    is_pushed,
    request_of,
)
from img.entrypoints.cli.output import say, say_text
from img.entrypoints.cli.session import Needs, Session
from img.entrypoints.cli.transfer import opened
from img.entrypoints.settings import host_platform

if TYPE_CHECKING:
    from img.domain.image_place import ImagePlace
    from img.entrypoints.wiring.root import Container

_COLUMN = 34


def run_kaniko(session: Session, words: Sequence[str]) -> int:
    """Do what the command line says, and return the exit code. Raises ImgError."""
    commands: Mapping[str, tuple[Sequence[Flag], Callable[[Session, Given], int]]] = {
        "login": (LOGIN, _login),
        "push": (PUSH, _push),
        "warmer": (WARMER, _warm),
    }
    first = words[0] if words else ""
    if first == "version":
        say(f"Kaniko version :  img {__version__}")
        return 0
    flags, command = commands.get(first, (EXECUTOR, None))
    rest = words[1:] if command else words
    given = parse(rest, flags)
    if given.switch("help") or first == "help":
        _show_help(first if command else "executor", flags)
        return 0
    if command:
        return command(session, given)
    return Execution(session, executor_plan(rest, os.environ)).run()


def _login(session: Session, given: Given) -> int:
    from img.application.ports.credential_store import Credentials
    from img.domain.reference import registry_of
    from img.entrypoints.cli.login import refuse_other_encodings

    if len(given.words) != 1:
        raise UsageError(f"login accepts 1 arg(s), received {len(given.words)}")
    name, password = given.text("username"), given.text("password")
    if not name:
        raise UsageError("username required")
    if bool(password) is given.switch("password-stdin"):
        problem = (
            "only one of --password or --password-stdin may be specified"
            if password
            else "a password must be supplied via --password or --password-stdin"
        )
        raise UsageError(problem)
    if not password:
        password = sys.stdin.read().removesuffix("\n").removesuffix("\r")
    if not password:
        raise UsageError("password is blank")
    refuse_other_encodings(name, password)
    where = registry_of(given.words[0])
    with session.open(needs=Needs.REGISTRY) as container:
        # kaniko stores the login without asking the registry.
        container.registries.credentials().put(where, Credentials(username=name, password=password))
    return 0


def _push(session: Session, given: Given) -> int:
    if len(given.words) != 1:
        raise UsageError(f"push accepts 1 arg(s), received {len(given.words)}")
    names = [ImageReference.parse(text) for text in given.texts("destination")]
    if not names:
        raise UsageError("at least one --destination is required")
    _say_notices(given)
    registries = registry_settings(given, os.environ)
    quiet = given.text("verbosity") in ("error", "fatal", "panic")
    with session.open(
        progress="plain", quiet=quiet, access=access_of(registries, names)
    ) as container:
        if not given.switch("skip-push-permission-check"):
            check_pushes(container, list({name.repository: name for name in names}.values()))
        with container.storage.lock().working():
            image = container.images.gather()(
                _place_of(given.words[0]), None, open_file=opened, whole=True
            )
            ignores = given.switch("push-ignore-immutable-tag-errors")
            publish = container.images.publish()
            for name in names:
                push = partial(publish, image, name, partially=False)
                if not ignores:
                    push()
                elif not is_pushed(push):
                    continue
                say(f"Pushed to {name}", error=True)
    return 0


def _place_of(path: str) -> "ImagePlace":
    """Return the image in the OCI layout or in the docker archive ``path``."""
    from img.domain.context_location import LayoutPlace
    from img.domain.image_place import ArchivePlace

    if os.path.isdir(path):
        return LayoutPlace(path=path)
    return ArchivePlace(format="docker", path=path)


def _warm(session: Session, given: Given) -> int:
    """Pull images, and the bases of a Dockerfile, into the state in the cache directory."""
    images = list(given.texts("image"))
    file = given.text("dockerfile")
    if not (images or file):
        raise UsageError("you must select at least one image to cache or a dockerfilepath to parse")
    _say_notices(given)
    registries = registry_settings(given, os.environ)
    directory = given.text("cache-dir")
    try:
        Path(directory).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(
            f"failed to create cache directory: {directory}: {reason}", hint="use --cache-dir"
        ) from None
    wanted = platforms([given.text("customPlatform")] if given.has("customPlatform") else [])
    platform = wanted[0] if wanted else host_platform()
    state = os.path.join(directory, STATE)
    with session.with_options(state=state, backend=None, debug=False).open(
        progress="plain", access=access_of(registries, ())
    ) as container:
        if file:
            images += _bases(container, file, given.texts("build-arg"))
        for name in dict.fromkeys(images):
            reference = ImageReference.parse(name)
            image = container.images.pull_image()(reference, platform)
            say(f"{reference}: {image.target.digest}", error=True)
    return 0


def _say_notices(given: Given) -> None:
    for notice in given.notices():
        say(f"NOTE: {notice}", error=True)


def _show_help(command: str, flags: Sequence[Flag]) -> None:
    name = "executor" if command == "executor" else f"executor {command}"
    lines = [f"Usage: {'warmer' if command == 'warmer' else name} [flags]", "", "Flags:"]
    for flag in flags:
        if flag.old_name_of or not (flag.says or flag.ignored):
            continue
        short = f"-{flag.short}, " if flag.short else "    "
        says = f"No effect: {flag.ignored}." if flag.ignored else flag.says
        lines.append(f"  {short}--{flag.name}".ljust(_COLUMN) + f"  {says}")
    if command == "executor":
        lines += ["", "Commands: login, push, version; the warmer is `warmer`."]
    say_text("\n".join(lines) + "\n")


def _bases(container: "Container", file: str, build_args: Sequence[str]) -> list[str]:
    """Return the names of the base images of all stages of a Dockerfile."""
    location = os.path.dirname(os.path.abspath(file))
    analyse = container.building.analyse()
    source = container.building.contexts().dockerfile(location, file)
    parsed = analyse.parse(source)
    request = request_of(build_args, ())
    names: list[str] = []
    for number in range(len(parsed.dockerfile.stages)):
        analysis = analyse(parsed, replace(request, target=str(number)))
        names += [base.text for base in analysis.bases]
    return names
