"""Violations of policies."""

from img.domain.errors import SourceError, TrustError


class PolicyViolated(TrustError):
    """A source, or the result of a build, that a rule of a policy forbids."""

    def __init__(self, rule: str, message: str, *, hint: str | None = None) -> None:
        super().__init__(f"{message} (policy: {rule})", hint=hint)
        self.rule = rule


class StepForbidden(SourceError):
    """A violation by an instruction of a Dockerfile."""

    exit_code = TrustError.exit_code

    def __init__(self, violated: PolicyViolated, lines: tuple[int, int] | None) -> None:
        super().__init__(violated.message, lines=lines, hint=violated.hint)
        self.rule = violated.rule
