"""The options and command of HEALTHCHECK (Dockerfile reference, "HEALTHCHECK")."""

from typing import TypedDict, Unpack

from img.domain.dockerfile.flags import Flags
from img.domain.dockerfile.instructions import Healthcheck
from img.domain.errors import DockerfileError
from img.domain.go.formatting import quoted
from img.domain.go.quantities import BadQuantity, parse_duration

_SHORTEST = 1_000_000  # nanoseconds


class _Located(TypedDict):
    lines: tuple[int, int]
    keyword: str
    original: str
    comments: tuple[str, ...]


def parse_healthcheck(
    words: tuple[str, ...], json: bool, flags: Flags, **located: Unpack[_Located]
) -> Healthcheck:
    """Return the health check in ``words``; the first is NONE or CMD. Raises DockerfileError."""
    kind, *command = words
    kind = kind.upper()
    if kind == "NONE":
        if command:
            raise DockerfileError("HEALTHCHECK NONE takes no arguments")
        return Healthcheck(**located, test=("NONE",))
    if kind != "CMD":
        raise DockerfileError(f"Unknown type {quoted(kind)} in HEALTHCHECK (try CMD)")
    if not command:
        raise DockerfileError("Missing command after HEALTHCHECK CMD")
    return Healthcheck(
        **located,
        test=("CMD" if json else "CMD-SHELL", *command),
        interval=_interval(flags, "interval"),
        timeout=_interval(flags, "timeout"),
        start_period=_interval(flags, "start-period"),
        start_interval=_interval(flags, "start-interval"),
        retries=_retries(flags.text("retries")),
    )


def _interval(flags: Flags, name: str) -> int:
    text = flags.text(name)
    if not text:
        return 0
    try:
        interval = parse_duration(text)
    except BadQuantity as error:
        raise DockerfileError(str(error)) from None
    if interval and interval < _SHORTEST:
        raise DockerfileError(f'Interval "{name}" cannot be less than 1ms')
    return interval


def _retries(text: str) -> int:
    if not text:
        return 0
    digits = text[1:] if text[:1] in ("+", "-") else text
    if not (digits.isascii() and digits.isdigit()):
        raise DockerfileError(f"strconv.ParseInt: parsing {quoted(text)}: invalid syntax")
    if len(digits.lstrip("0")) > 10 or not -(2**31) <= int(text) < 2**31:
        raise DockerfileError(f'strconv.ParseInt: parsing "{text}": value out of range')
    if int(text) < 0:
        raise DockerfileError(f"--retries cannot be negative ({int(text)})")
    return int(text)
