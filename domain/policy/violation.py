"""Violations of policies."""

from img.domain.errors import StepForbidden, TrustError


class PolicyViolated(TrustError):
    """A source, or the result of a build, that a rule of a policy forbids."""

    def __init__(self, rule: str, message: str, *, hint: str | None = None) -> None:
        super().__init__(f"{message} (policy: {rule})", hint=hint)
        self.rule = rule


def forbidden(violated: PolicyViolated, lines: tuple[int, int] | None) -> StepForbidden:
    """Return the violation as one by an instruction at ``lines``."""
    return StepForbidden(violated.message, lines=lines, hint=violated.hint)
