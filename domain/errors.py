"""The root of all expected errors."""


class ImgError(Exception):
    """An expected failure: its message says what failed and where.

    ``hint`` is one sentence that says what to do; ``exit_code`` is that of the family
    (docs/errors.md). Any other exception that reaches the user is a bug in img.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(ImgError):
    """A command line with unknown or contradictory options."""

    exit_code = 1


class SourceError(ImgError):
    """A failure at lines of a Dockerfile: 1-based (first, last).

    ``excerpt`` shows the lines, and ``dockerfile`` is the path of the file on this machine; the
    caller that has the text sets both.
    """

    preamble = "failed to solve: "
    """The beginning of the line that the user sees."""

    def __init__(
        self, message: str, *, lines: tuple[int, int] | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.lines = lines
        self.excerpt = ""
        self.dockerfile = ""


class DockerfileError(SourceError):
    """A Dockerfile with an error."""

    exit_code = 3


class BuildError(SourceError):
    """A failed step of a build."""

    exit_code = 4


class ContextError(ImgError):
    """A build context that cannot be read."""

    exit_code = 5


class RemoteError(ImgError):
    """A failure of a registry or another server."""

    exit_code = 6


class NotFoundError(ImgError):
    """A name that the store does not have."""

    exit_code = 7


class StateError(ImgError):
    """An unusable state directory: corrupt, full, locked, or of another version."""

    exit_code = 8


class HostError(ImgError):
    """A host that does not allow an operation that a step needs."""

    exit_code = 9


class TrustError(ImgError):
    """An image without the signature that it needs, or something that a policy forbids."""

    exit_code = 10


class StepForbidden(SourceError, TrustError):
    """An instruction of a Dockerfile that violates a policy, or uses an image without signature."""

    exit_code = TrustError.exit_code
