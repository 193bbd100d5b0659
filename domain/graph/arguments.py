"""Variables of the whole Dockerfile: those of the platforms, and the ARGs above the first FROM."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from img.domain.build import BuildRequest
from img.domain.dockerfile.instructions import Dockerfile
from img.domain.dockerfile.stage_variables import declared_globals
from img.domain.errors import DockerfileError
from img.domain.go.booleans import parse_boolean
from img.domain.oci.config import FIRST_SECOND, LAST_SECOND
from img.domain.platform import Platform

EPOCH = "SOURCE_DATE_EPOCH"
"""The variable that holds the time of the image, its history and its files."""

MAIN_CONTEXT = "context"
"""What SOURCE_DATE_EPOCH calls the main context."""

SCAN_STAGE = "BUILDKIT_SBOM_SCAN_STAGE"
SCAN_CONTEXT = "BUILDKIT_SBOM_SCAN_CONTEXT"
"""The variables for what a bill of materials covers besides the image (BuildKit, docs sbom.md)."""

_NUMBER = re.compile(r"[+-]?[0-9]+")  # as Go's strconv reads one
_LONGEST = 20  # characters of a time


def global_arguments(dockerfile: Dockerfile, request: BuildRequest) -> dict[str, str]:
    """Return the variables of FROM lines, which a stage can import with ``ARG NAME``.

    Raises DockerfileError.
    """
    target = request.target or dockerfile.stages[-1].start.name or "default"
    arguments = {
        name: request.build_args.get(name, value) for name, value in _predefined(request, target)
    }
    for found in declared_globals(dockerfile, request.build_args, arguments):
        if found.value is not None:
            arguments[found.argument.name] = found.value
    return arguments


def source_date_epoch(request: BuildRequest, arguments: Mapping[str, str]) -> int | str | None:
    """Return SOURCE_DATE_EPOCH of a build argument, else of a global ARG, in seconds since 1970.

    "context" and the names of other contexts are returned unchanged: they stand for the time of
    that context (BuildKit dockerfile2llb/epoch.go). Raises DockerfileError for other values;
    BuildKit also accepts the name of a stage that downloads a file, which img refuses.
    """
    text = request.build_args.get(EPOCH, arguments.get(EPOCH, ""))
    if not text or text == MAIN_CONTEXT or text in request.contexts:
        return text or None
    if _NUMBER.fullmatch(text) and len(text) <= _LONGEST:
        seconds = int(text)
        if FIRST_SECOND <= seconds <= LAST_SECOND:
            return seconds
    raise DockerfileError(
        f"invalid {EPOCH}: {text}",
        hint='give it in seconds since 1970, or name a context: "context" is the main one',
    )


def with_source_date_epoch(
    dockerfile: Dockerfile, request: BuildRequest, seconds: int | None
) -> tuple[Dockerfile, BuildRequest]:
    """Return both with ``seconds`` as the SOURCE_DATE_EPOCH that they set; None removes it."""
    value = None if seconds is None else str(seconds)
    build_args = dict(request.build_args)
    if build_args.pop(EPOCH, None) is not None and value is not None:
        build_args[EPOCH] = value
    meta_args = tuple(
        replace(
            arg,
            arguments=tuple(
                replace(each, default=value) if each.name == EPOCH else each
                for each in arg.arguments
            ),
        )
        for arg in dockerfile.meta_args
    )
    return replace(dockerfile, meta_args=meta_args), replace(request, build_args=build_args)


def scans_stage(
    stage: str, own: Mapping[str, str], whole: Mapping[str, str], build_args: Mapping[str, str]
) -> bool:
    """Return whether ``stage`` is scanned: the ARG says true, or lists its name.

    ``own`` are the ARGs of the stage, ``whole`` those above the first FROM.
    """
    text = build_args.get(SCAN_STAGE) or own.get(SCAN_STAGE) or whole.get(SCAN_STAGE, "")
    switch = parse_boolean(text) if text else False
    if switch is not None:
        return switch
    return bool(stage) and stage in {name.strip().lower() for name in text.split(",")}


def scans_context(
    own: Mapping[str, str], whole: Mapping[str, str], build_args: Mapping[str, str]
) -> bool:
    """Return whether the main context is scanned."""
    text = build_args.get(SCAN_CONTEXT) or own.get(SCAN_CONTEXT) or whole.get(SCAN_CONTEXT, "")
    return bool(text) and parse_boolean(text) is True


def _predefined(request: BuildRequest, target: str) -> Iterable[tuple[str, str]]:
    """Return the predefined arguments (BuildKit dockerfile2llb/platform.go, defaultArgs)."""
    yield "BUILDPLATFORM", str(request.build_platform)
    yield from _platform_arguments("BUILD", request.build_platform)
    yield "TARGETPLATFORM", request.platform.full_name
    yield from _platform_arguments("TARGET", request.platform)
    yield "TARGETSTAGE", target


def _platform_arguments(prefix: str, platform: Platform) -> Iterable[tuple[str, str]]:
    yield f"{prefix}OS", platform.os
    yield f"{prefix}OSVERSION", platform.os_version
    yield f"{prefix}ARCH", platform.architecture
    yield f"{prefix}VARIANT", platform.variant
