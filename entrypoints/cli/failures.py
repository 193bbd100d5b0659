"""Errors become text and exit codes; nowhere else does that happen."""

import sys

from img.domain.errors import ImgError, SourceError

INTERRUPTED = 130
TERMINATED = 143


class Terminated(BaseException):
    """SIGTERM came."""


def report(error: ImgError) -> int:
    """Print ``error`` on stderr: an excerpt if it has one, then one line; return the exit code."""
    lines = []
    message = error.message
    if isinstance(error, SourceError):
        if error.excerpt:
            lines.append(error.excerpt)
        message = f"failed to solve: {message}"
    hint = f" ({error.hint})" if error.hint else ""
    lines.append(f"Error: {message}{hint}")
    print("\n".join(lines), file=sys.stderr, flush=True)  # noqa: T201
    return error.exit_code
