"""``img kaniko``: the command lines of kaniko's executor and warmer (docs/kaniko.md)."""

import typer

from img.domain.errors import ImgError
from img.entrypoints.cli.failures import report

_FAILED = 1  # kaniko's exit code for all but failed commands of RUN


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "kaniko",
        short_help="Build by the command line of kaniko's executor.",
        context_settings={
            "allow_extra_args": True,
            "allow_interspersed_args": False,
            "ignore_unknown_options": True,
            "help_option_names": [],
        },
    )(kaniko)


def kaniko(ctx: typer.Context) -> None:
    """Build by the command line of kaniko's executor; `img kaniko warmer` is its warmer."""
    from img.entrypoints.cli.kaniko_commands import run_kaniko  # only this command needs it

    try:
        code = run_kaniko(ctx.obj, ctx.args)
    except ImgError as error:
        report(error)
        # Of a failed RUN it is the code of its command.
        code = getattr(error, "status", 0) or _FAILED
    raise typer.Exit(code)
