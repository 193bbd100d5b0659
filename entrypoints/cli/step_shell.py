"""A shell, or another command, in a step of a build that has ended."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

import typer

from img.domain.errors import ImgError, UsageError
from img.entrypoints.cli.output import say

if TYPE_CHECKING:
    from img.application.usecases.debug_step import OtherSettings
    from img.domain.history.record import BuildRecord, StepRecord
    from img.domain.process import ExitStatus
    from img.entrypoints.wiring.root import Container


def require_terminal(what: str, *, hint: str) -> None:
    """Raise UsageError unless standard input is a terminal."""
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError(f"{what} needs a terminal as standard input", hint=hint)


def enter_step(
    container: "Container",
    record: "BuildRecord",
    step: "StepRecord",
    argv: Sequence[str] = (),
    *,
    before: bool = False,
    has_terminal: bool = True,
    other: "OtherSettings | None" = None,
) -> "ExitStatus":
    """Run ``argv``, by default a shell, in the root of a step. Raises ImgError."""
    from img.application.usecases.debug_step import OtherSettings, TerminalChoice

    terminal = None
    if has_terminal:
        terminal = TerminalChoice(container.system.terminal(), os.environ.get("TERM", ""))
        if not argv:
            _announce(record, step, before=before)
    run = container.steps.debug_step()
    with (
        container.storage.lock().working(),
        container.system.output_files().file("-") as out,
    ):
        sink, other = _writer(out), other or OtherSettings()
        return run(record, step, argv, sink, before=before, terminal=terminal, other=other)


@contextmanager
def shell_on_failure(container: "Container") -> Iterator[None]:
    """Open a shell in the step that fails inside.

    The error is shown before, and its exit code is that of the command. Raises UsageError without a
    terminal.
    """
    require_terminal("--on-fail shell", hint="use `img debug` after the build")
    try:
        yield
    except ImgError as error:
        record = container.housekeeping.read_history().find(container.system.recorder().id)
        step = record.failed
        if step is None or step.facts is None:  # an error outside of the steps
            raise
        from img.entrypoints.cli.failures import report

        container.system.display().close()
        code = report(error)
        enter_step(container, record, step, before=step.facts.kept is None)
        raise typer.Exit(code) from None


def _announce(record: "BuildRecord", step: "StepRecord", *, before: bool) -> None:
    """Tell which files the shell shows, and that they are discarded."""
    when = "before" if before else "after"
    say(
        f"{when} {step.name} of build {record.id};"
        " changes are discarded; `exit` or Ctrl-D to leave",
        error=True,
    )


def _writer(out: BinaryIO) -> Callable[[int, bytes], None]:
    """Return an output sink; control characters are written as text on a terminal."""
    from img.entrypoints.cli.history_views import shown_bytes

    shows = (sys.stdout.isatty(), sys.stderr.isatty())

    def write(stream: int, data: bytes) -> None:
        file = out if stream == 1 else sys.stderr.buffer
        file.write(shown_bytes(data) if shows[stream - 1] else data)
        file.flush()

    return write
