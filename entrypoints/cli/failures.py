"""Messages and exit codes of errors. No other module prints errors."""

import errno
import os
import sys

from img.domain.errors import ImgError, SourceError, StateError, UsageError

FULL = {errno.ENOSPC, errno.EDQUOT}
INTERRUPTED = 130
TERMINATED = 143


def disk_full(error: OSError) -> StateError:
    """Return the error that the user sees for a full disk."""
    return StateError(
        f"no space left: {error.filename or 'standard output or the state'}: {error.strerror}",
        hint="free some space (`img prune`), or choose another state directory with --state",
    )


def output_error() -> OSError | None:
    """Return the error of writing to standard output, None if there is none."""
    try:
        sys.stdout.flush()
    except OSError as error:
        return error
    return None


def output_lost(error: OSError) -> UsageError:
    """Return the error that the user sees if standard output cannot be written."""
    return UsageError(f"cannot write standard output: {error.strerror}")


def report(error: ImgError) -> int:
    """Print ``error`` on stderr: an excerpt if it has one, then one line; return the exit code."""
    from img.domain.shown_text import shown, shown_in_line  # only now: it takes a moment

    lines = []
    message = error.message
    if isinstance(error, SourceError):
        if error.excerpt:
            lines.append(shown(error.excerpt))
        message = f"{error.preamble}{message}"
    hint = f" ({error.hint})" if error.hint else ""
    if (mark := _mark(error)) is not None:
        lines.append(mark)
    lines.append(shown_in_line(f"Error: {message}{hint}"))
    print("\n".join(lines), file=sys.stderr, flush=True)  # noqa: T201
    return error.exit_code


def _mark(error: ImgError) -> str | None:
    """Return the command that shows ``error`` beside its lines on GitHub, None elsewhere."""
    from img.domain.ci_log import CiSystem, Mark, ci_system, place_in
    from img.domain.shown_text import shown_in_line

    try:
        if ci_system(os.environ) is not CiSystem.GITHUB:
            return None
    except UsageError:  # which is reported itself
        return None
    place, lines = "", None
    if isinstance(error, SourceError) and error.dockerfile:
        workspace = os.path.realpath(os.environ.get("GITHUB_WORKSPACE") or ".")
        place, lines = place_in(workspace, error.dockerfile), error.lines
    hint = f" ({error.hint})" if error.hint else ""
    return Mark("error", shown_in_line(f"{error.message}{hint}"), place, lines).command
