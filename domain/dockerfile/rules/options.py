"""``# check=skip=A,B;error=true;experimental=all``: the options of build checks.

Source: BuildKit frontend/dockerfile/linter/linter.go, ParseLintOptions.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from img.domain.dataclass import dataclass
from img.domain.dockerfile.raw import Directive, RawDockerfile
from img.domain.dockerfile.rules.rule import LintWarning
from img.domain.errors import DockerfileError
from img.domain.go.booleans import parse_boolean
from img.domain.go.formatting import quoted

CHECK_ARGUMENT = "BUILDKIT_DOCKERFILE_CHECK"
_ALL = "all"
_MOST_OPTIONS = 3
# In a comment above an instruction; the text after the first blank is an explanation.
_COMMENT = r"(?i)check\s*=\s*([^ ]+)"


class LintViolation(DockerfileError):
    """A finding with ``error=true``."""

    def __init__(self, rules: Iterable[str], lines: tuple[int, int] | None) -> None:
        self.rules = tuple(sorted(set(rules)))
        super().__init__(
            f"lint violation found for rules: {', '.join(self.rules)}",
            lines=lines,
            hint="correct what the warnings say, or take error=true away",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOptions:
    """The rules to skip and the experimental rules to run."""

    skip: frozenset[str] = frozenset()
    skip_all: bool = False
    experimental: frozenset[str] = frozenset()
    experimental_all: bool = False
    error: bool = False  # a warning fails the build

    @classmethod
    def parse(cls, text: str) -> "CheckOptions":
        """Return the options in ``text``. Raises DockerfileError."""
        found = cls()
        # At most three: a fourth one is part of the third's value, with its semicolon.
        for option in text.strip().split(";", _MOST_OPTIONS - 1) if text.strip() else ():
            found = found._with(option)
        return found

    def runs(self, name: str, *, experimental: bool, comments: Iterable[str]) -> bool:
        """Return whether the rule ``name`` applies to an instruction with these comments."""
        local = options_in(comments)
        if experimental:  # experimental rules are off by default, and skip does not concern them
            every = self.experimental_all or local.experimental_all
            return every or name in self.experimental | local.experimental
        every = self.skip_all or local.skip_all
        return not every and name not in self.skip | local.skip

    def _with(self, option: str) -> "CheckOptions":
        key, equals, value = option.partition("=")
        key, value = key.strip(), value.strip()
        match key, bool(equals):
            case "skip", True if value == _ALL:
                return replace(self, skip_all=True)
            case "skip", True:
                return replace(self, skip=_names(value))
            case "experimental", True if value == _ALL:
                return replace(self, experimental_all=True)
            case "experimental", True:
                return replace(self, experimental=_names(value))
            case "error", True:
                return replace(self, error=_boolean(option, value))
        raise DockerfileError(
            f"invalid check option {quoted(key)}", hint="skip, error or experimental"
        )


def options_of(raw: RawDockerfile, build_args: Mapping[str, str]) -> CheckOptions:
    """Return the options of the build argument, else those of the directive.

    Raises DockerfileError.
    """
    given = build_args.get(CHECK_ARGUMENT)
    directive = _directive(raw)
    text = given if given is not None else directive.first_word if directive else ""
    try:
        return CheckOptions.parse(text)
    except DockerfileError as error:
        what = "check options" if given is None else CHECK_ARGUMENT
        raise DockerfileError(
            f"failed to parse {what}: {error.message}",
            lines=(directive.line, directive.line) if directive and given is None else None,
            hint=error.hint,
        ) from None


def options_in(comments: Iterable[str]) -> CheckOptions:
    """Return the options in the first ``check=`` of ``comments``; invalid ones are ignored."""
    for comment in comments:
        if found := re.match(_COMMENT, comment):
            try:
                return CheckOptions.parse(found[1])
            except DockerfileError:
                break
    return CheckOptions()


def refuse_violations(
    raw: RawDockerfile, build_args: Mapping[str, str], warnings: Iterable[LintWarning]
) -> None:
    """Raise LintViolation if there are warnings and ``error=true`` is set."""
    rules = [warning.rule for warning in warnings]
    if rules and options_of(raw, build_args).error:
        directive = None if CHECK_ARGUMENT in build_args else _directive(raw)
        raise LintViolation(rules, (directive.line, directive.line) if directive else None)


def _directive(raw: RawDockerfile) -> Directive | None:
    return next((each for each in raw.directives if each.name == "check"), None)


def _names(value: str) -> frozenset[str]:
    return frozenset(name.strip() for name in value.split(","))


def _boolean(option: str, value: str) -> bool:
    boolean = parse_boolean(value)
    if boolean is None:
        raise DockerfileError(
            f"failed to parse check option {quoted(option)}", hint="true or false"
        )
    return boolean
