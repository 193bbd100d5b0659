"""``img doctor`` and ``img unshare``."""

import errno
import os
import signal
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from img.domain.errors import HostError, UsageError
from img.entrypoints.cli import commands
from img.entrypoints.cli.output import say_json, say_text
from img.entrypoints.cli.params import shared_options
from img.entrypoints.cli.session import Session

if TYPE_CHECKING:
    from img.application.usecases.diagnose import Diagnosis


class CommandNotRun(HostError):
    """Exit codes as of env(1)."""

    def __init__(self, command: str, error: OSError) -> None:
        super().__init__(f"{command}: {(error.strerror or str(error)).lower()}")
        self.exit_code = 127 if error.errno == errno.ENOENT else 126


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        "doctor", cls=commands.followed_by(), short_help="Show what this machine lets builds do."
    )(doctor)
    app.command(
        "unshare",
        cls=commands.followed_by("COMMAND..."),
        short_help="Run a command where builds run.",
        # Words after the command belong to it, --help as well.
        context_settings={
            "allow_extra_args": True,
            "allow_interspersed_args": False,
            "ignore_unknown_options": True,
        },
    )(unshare)


@shared_options
def doctor(
    session: Session,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """Show which features this machine offers to builds, which are used, and how to get more."""
    from img.entrypoints.rootless import is_foreign_state
    from img.entrypoints.wiring.without_container import diagnose

    path = session.state_path()
    is_foreign_state(path)  # raises StateNotSafe
    diagnosis = diagnose()(path)
    if as_json:
        say_json(asdict(diagnosis), indent=2)
    else:
        say_text(_text(diagnosis))


def unshare(ctx: typer.Context) -> None:
    """Run a command as root of the user namespace of builds, such as ls on files of the state.

    The exit code is the command's; 127 if it is not found, 126 if it cannot be executed.
    """
    if not ctx.args or not ctx.args[0]:
        raise UsageError("no command", hint="such as `img unshare ls -l ~/.local/share/img`")
    from img.entrypoints.rootless import enter_for_command

    enter_for_command()
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and that is inherited
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(ctx.args[0], ctx.args)
    except OSError as error:
        raise CommandNotRun(ctx.args[0], error) from None


def _text(diagnosis: "Diagnosis") -> str:
    lines = []
    width = max(len(checked.name) for checked in diagnosis.checked)
    for checked in diagnosis.checked:
        finding = checked.finding
        lines.append(
            f"{'yes' if finding.works else 'no ':<4}{checked.name:<{width}}  {finding.detail}"
        )
        if not finding.works:
            margin = " " * (width + 6)
            lines += [f"{margin}for: {checked.gives}"] if checked.gives else []
            lines += [f"{margin}do: {finding.remedy}"] if finding.remedy else []
    executor = diagnosis.executor or "none, so RUN is not possible here"
    emulated = f", with --emulate {diagnosis.emulation}" if diagnosis.emulation else ""
    return "\n".join(
        [
            *lines,
            "",
            f"--executor auto: {executor}{emulated}",
            f"--backend auto: {diagnosis.snapshotter}",
            *(f"  because of {reason}" for reason in diagnosis.reasons),
            "",
        ]
    )
