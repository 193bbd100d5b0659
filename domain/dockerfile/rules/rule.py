"""Rules, their findings, and warnings.

Names, texts and addresses are BuildKit's (frontend/dockerfile/linter/ruleset.go).
"""

import re
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from img.domain.dataclass import dataclass
from img.domain.dockerfile.instructions import Located

_PAGES = "https://docs.docker.com/go/dockerfile/rule"
# Between a small letter and a capital, and before the last of several capitals: JSON-Args.
_WORD_START = r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])"

Subject = TypeVar("Subject")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A finding of a rule; ``comments`` above the instruction may suppress it."""

    lines: tuple[int, int]
    detail: str
    comments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class LintWarning:
    """A warning of a check; lines are 1-based, first and last."""

    lines: tuple[int, int]
    rule: str
    detail: str
    description: str = ""  # the purpose of the rule
    url: str = ""  # "" if the rule has no page

    @property
    def summary(self) -> str:
        """The warning in one line, as a build prints it (linter.go, LintFormatShort)."""
        return f"{self.rule}: {self.detail} (line {self.lines[0]})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(Generic[Subject]):
    """A check of one kind of subject; ``experimental`` rules run only on request."""

    name: str
    description: str
    find: Callable[[Subject], Iterator[Finding]]
    url: str
    experimental: bool = False

    def warning(self, finding: Finding) -> LintWarning:
        """Return the warning for ``finding``."""
        return LintWarning(
            lines=finding.lines,
            rule=self.name,
            detail=finding.detail,
            description=self.description,
            url=self.url,
        )


Find = Callable[[Subject], Iterator[Finding]]


def rule(
    name: str, description: str, *, experimental: bool = False, has_page: bool = True
) -> Callable[[Find[Subject]], Rule[Subject]]:
    """Return a decorator that makes a rule of a function that yields findings."""

    def made(find: Find[Subject]) -> Rule[Subject]:
        return Rule(
            name=name,
            description=description,
            find=find,
            url=page_of(name) if has_page else "",
            experimental=experimental,
        )

    return made


def page_of(name: str) -> str:
    """Return the URL of a rule's page; that of JSONArgsRecommended is json-args-recommended."""
    return f"{_PAGES}/{re.sub(_WORD_START, '-', name).lower()}/"


def at(instruction: Located, detail: str) -> Finding:
    """Return a finding at ``instruction``, which comments above it may suppress."""
    return Finding(lines=instruction.lines, detail=detail, comments=instruction.comments)
