"""The root of every error raised on purpose."""


class ImgError(Exception):
    """A failure that a user can cause or meet: what, where, and what to do about it.

    ``hint`` is one sentence that says what to do; ``exit_code`` tells the family (docs/errors.md).
    Anything that escapes and is no ImgError is a bug of ours.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(ImgError):
    """The command line asks for what does not exist or does not fit together."""

    exit_code = 1


class SourceError(ImgError):
    """A failure that belongs to lines of a Dockerfile: 1-based (first, last).

    ``excerpt`` shows them; whoever knows the text fills it in.
    """

    def __init__(
        self, message: str, *, lines: tuple[int, int] | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.lines = lines
        self.excerpt = ""


class DockerfileError(SourceError):
    """The Dockerfile cannot be understood."""

    exit_code = 3


class BuildError(SourceError):
    """A step of a build failed."""

    exit_code = 4


class ContextError(ImgError):
    """The build context cannot be read."""

    exit_code = 5


class RemoteError(ImgError):
    """Something on the other side of the network: a registry, a server."""

    exit_code = 6


class NotFoundError(ImgError):
    """What was named does not exist here."""

    exit_code = 7


class StateError(ImgError):
    """The state directory is unusable: corrupt, full, locked, of another version."""

    exit_code = 8


class HostError(ImgError):
    """This machine does not allow what the step needs."""

    exit_code = 9
