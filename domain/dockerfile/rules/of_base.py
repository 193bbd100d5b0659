"""Rules for FROM lines after expansion."""

from collections.abc import Iterator, Mapping
from dataclasses import field

from img.domain.dataclass import dataclass
from img.domain.dockerfile.instructions import Dockerfile, From
from img.domain.dockerfile.rules.rule import Finding, Rule, at, rule
from img.domain.dockerfile.suggestion import did_you_mean
from img.domain.dockerfile.variables import Expanded, ExpansionFailed, expand
from img.domain.go.formatting import quoted
from img.domain.platform import InvalidPlatform, Platform
from img.domain.reference import ImageReference, InvalidReference


@dataclass(frozen=True, slots=True, kw_only=True)
class FromLine:
    """A FROM with expanded words, and the variables of the expansion."""

    start: From
    base: Expanded | None  # None, like the platform, below a line that fails every build
    default_base: str | None  # without build arguments; None below a line where that fails
    platform: Expanded | None
    arguments: Mapping[str, str] = field(hash=False)  # the ones with a value
    declared: frozenset[str]  # ARGs above the first FROM, with or without a value
    host: Platform  # supplies the missing parts of platforms


def from_lines(
    dockerfile: Dockerfile,
    arguments: Mapping[str, str],
    defaults: Mapping[str, str] | None,
    host: Platform,
) -> Iterator[FromLine]:
    """Yield the FROM lines, expanded up to the first line that fails every build.

    ``defaults`` are the arguments without the command line's, None if their expansion fails.
    BuildKit checks all lines with them first (dockerfile2llb/validations.go).
    """
    declared = frozenset(
        argument.name for arg in dockerfile.meta_args for argument in arg.arguments
    )
    escape, reached = dockerfile.escape, True
    for stage in dockerfile.stages:
        start = stage.start
        default = None if defaults is None else _expanded(start.base, defaults, escape)
        if default is None:
            defaults = None
        base = _expanded(start.base, arguments, escape) if reached else None
        platform = _expanded(start.platform, arguments, escape) if base and start.platform else None
        if base is None or (start.platform and platform is None):
            base = platform = None
        yield FromLine(
            start=start,
            base=base,
            default_base=default.text if default else None,
            platform=platform,
            arguments=arguments,
            declared=declared,
            host=host,
        )
        reached = (
            base is not None
            and base.text != ""
            and (platform is None or _platform(platform.text, host) is not None)
        )


def _expanded(word: str, arguments: Mapping[str, str], escape: str) -> Expanded | None:
    try:
        return expand(word, arguments, escape)
    except ExpansionFailed:
        return None


def _platform(text: str, host: Platform) -> Platform | None:
    try:
        return Platform.parse(text, host)
    except InvalidPlatform:
        return None


@rule(
    "InvalidDefaultArgInFrom",
    "Default value for global ARG results in an empty or invalid base image name",
)
def invalid_default_arg_in_from(line: FromLine) -> Iterator[Finding]:
    """Yield a finding for an invalid base name when no build argument is given."""
    if line.default_base is None:
        return
    try:
        ImageReference.parse(line.default_base)
    except InvalidReference:
        yield Finding(  # comments above FROM do not suppress it
            lines=line.start.lines,
            detail=f"Default value for ARG {line.start.base} results in empty or invalid base "
            "image name",
        )


@rule("UndefinedArgInFrom", "FROM command must use declared ARGs")
def undefined_arg_in_from(line: FromLine) -> Iterator[Finding]:
    """Yield a finding for each variable of FROM that no ARG declares."""
    known = line.declared | line.arguments.keys()
    for words in (line.base, line.platform):
        for name in sorted(words.unmatched - known) if words else ():
            suggestion = did_you_mean(name, sorted(known))
            yield at(line.start, f"FROM argument '{name}' is not declared{suggestion}")


@rule(
    "RedundantTargetPlatform",
    "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default "
    "behavior",
)
def redundant_target_platform(line: FromLine) -> Iterator[Finding]:
    """Yield a finding for ``--platform=$TARGETPLATFORM``, which is the default."""
    words = line.platform
    if (
        words
        and words.matched == {"TARGETPLATFORM"}
        and not words.unmatched
        and words.text == line.arguments["TARGETPLATFORM"]
    ):
        yield at(
            line.start,
            f"Setting platform to predefined {line.start.platform} in FROM is redundant as this "
            "is the default behavior",
        )


@rule("FromPlatformFlagConstDisallowed", "FROM --platform flag should not use a constant value")
def from_platform_flag_const_disallowed(line: FromLine) -> Iterator[Finding]:
    """Yield a finding for a constant ``--platform``."""
    words = line.platform
    if words is None or words.matched or words.unmatched:
        return
    platform = _platform(words.text, line.host)
    # A stage with the platform in its name is one of several, one for each platform.
    if platform and not any(
        part in line.start.name for part in (platform.os, platform.architecture)
    ):
        yield at(
            line.start, f"FROM --platform flag should not use constant value {quoted(words.text)}"
        )


FROM_RULES: tuple[Rule[FromLine], ...] = (
    invalid_default_arg_in_from,
    undefined_arg_in_from,
    redundant_target_platform,
    from_platform_flag_const_disallowed,
)
