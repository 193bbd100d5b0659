"""Variables of the whole Dockerfile: what the platforms say, and the ARGs above the first FROM."""

from collections.abc import Iterable, Mapping
from contextlib import suppress

from img.domain.build import BuildRequest
from img.domain.dockerfile.instructions import Dockerfile
from img.domain.dockerfile.variables import expand_word
from img.domain.errors import DockerfileError
from img.domain.oci.config import FIRST_SECOND, LAST_SECOND
from img.domain.platform import Platform

_EPOCH = "SOURCE_DATE_EPOCH"


def global_arguments(dockerfile: Dockerfile, request: BuildRequest) -> dict[str, str]:
    """Return what FROM lines may use, and a stage's ``ARG NAME`` takes over.

    Raises DockerfileError.
    """
    target = request.target or dockerfile.stages[-1].start.name or "default"
    arguments = {
        name: request.build_args.get(name, value) for name, value in _predefined(request, target)
    }
    for arg in dockerfile.meta_args:
        for argument in arg.arguments:
            value = request.build_args.get(argument.name)
            if value is None and argument.default is not None:
                default = expand_word(
                    argument.default, arguments, dockerfile.escape, lines=arg.lines
                )
                value = default.text
            if value is not None:
                arguments[argument.name] = value
    return arguments


def source_date_epoch(request: BuildRequest, arguments: Mapping[str, str]) -> int | None:
    """Return SOURCE_DATE_EPOCH: of the request, else of the build args, else of a global ARG.

    Raises DockerfileError for what is no time; what names a context or a stage is refused too.
    """
    text = request.build_args.get(_EPOCH, arguments.get(_EPOCH, ""))
    if request.epoch is not None or not text:
        return request.epoch
    with suppress(ValueError):
        if FIRST_SECOND <= (seconds := int(text)) <= LAST_SECOND:
            return seconds
    raise DockerfileError(f"invalid {_EPOCH}: {text}", hint="give it in seconds since 1970")


def _predefined(request: BuildRequest, target: str) -> Iterable[tuple[str, str]]:
    """Source: BuildKit dockerfile2llb/platform.go, defaultArgs."""
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
