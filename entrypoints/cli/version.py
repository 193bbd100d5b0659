"""``img version``."""

import platform
import shutil
import subprocess
from typing import Annotated

import typer

from img import __version__
from img.domain.errors import UsageError
from img.entrypoints.cli import commands
from img.entrypoints.cli.output import say, say_text
from img.entrypoints.cli.params import shared_options
from img.entrypoints.cli.session import Session
from img.entrypoints.settings import host_platform


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("version", cls=commands.followed_by(), short_help="Show the version information.")(
        version
    )


Extra = Annotated[list[str] | None, typer.Argument(hidden=True)]


@shared_options
def version(
    session: Session,  # noqa: ARG001 (every command takes its options)
    extra: Extra = None,
) -> None:
    """Show the version information."""
    if extra:
        raise UsageError("no arguments expected")
    say("img:")
    say(f" version     : {__version__}")
    say(f" python      : {platform.python_version()} ({platform.python_implementation()})")
    say(f" platform    : {host_platform()}")
    say_text(f"{_runc()}\n")


def _runc() -> str:
    runc = shutil.which("runc")
    if runc is None:
        return "runc: not installed, and not needed"
    try:
        answer = subprocess.run(
            [runc, "--version"], capture_output=True, text=True, timeout=5, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        return f"runc:\n error: {error}"
    known = dict(line.split(":", 1) for line in answer.splitlines() if ":" in line)
    release = answer.partition("\n")[0].removeprefix("runc version ").strip()
    rows = [("version", release)]
    rows += [(name, known[name].strip()) for name in ("commit", "spec") if name in known]
    return "\n".join(["runc:", *(f" {name:<12}: {value}" for name, value in rows)])
