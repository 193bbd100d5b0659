"""The ``img`` command."""

import atexit
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Annotated, Any, NoReturn

from img import __version__
from img.domain.errors import ImgError, UsageError
from img.entrypoints import light_imports

# The modules that typer and inspect import for completion, web pages, messages and source code.
with light_imports.without(
    {
        "ast": (),
        "difflib": ("get_close_matches",),
        "gettext": ("gettext",),
        "linecache": (),
        "platform": (),
        "shellingham": (),
        "shutil": ("get_terminal_size",),
        "subprocess": (),
        "tokenize": (),
        "traceback": ("FrameSummary", "StackSummary"),
        "uuid": ("UUID",),
    }
):
    import typer

from img.entrypoints.cli import commands, interrupts, options
from img.entrypoints.cli.failures import (
    FULL,
    INTERRUPTED,
    TERMINATED,
    disk_full,
    output_error,
    output_lost,
    report,
)
from img.entrypoints.cli.output import say, say_text
from img.entrypoints.cli.session import Session

_ABOUT = (
    "img -  Standalone, daemon-less, unprivileged Dockerfile and OCI compatible "
    "container image builder"
)

# Typer has its own copy of click; older versions import the package.
_UsageProblem = typer.BadParameter.__mro__[1]

_INSTALLS_COMPLETION = "--install-completion"
_COMPLETION_OPTIONS = (_INSTALLS_COMPLETION, "--show-completion")
# With this variable, Typer's two options take the name of a shell. Without it they look for the
# shell that runs img, and fail in a script of sh.
_SHELL_IS_NAMED = "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION"
_VERSION_OPTIONS = ("--version", "-v")
_COMPLETION = "_IMG_COMPLETE"  # in the environment when a shell completes a line
# Commands of docker about containers, which no command of img resembles.
_OF_CONTAINERS = frozenset(
    """
    attach compose container create exec kill logs network pause port ps rename restart run start
    stats stop top unpause volume wait
    """.split()  # noqa: SIM905 (names of one kind)
)

# The modules of commands, in the order of the help. Only the modules of the command are imported.
COMMANDS = {
    "build": {"build"},
    "bake": {"bake"},
    "locking": {"lock"},
    "images": {"ls", "rm", "tag"},
    "explore": {"explore"},
    "inspection": {"inspect"},
    "history": {"history"},
    "packages": {"diff", "sbom"},
    "attesting": {"attestations"},
    "signing": {"generate-key-pair", "sign", "verify"},
    "why": {"why"},
    "reporting": {"report"},
    "debug": {"debug"},
    "cp": {"cp"},
    "remote": {"catalog", "referrers", "tags"},
    "transfer": {"load", "pull", "push", "save", "unpack"},
    "state": {"du", "fsck", "prune"},
    "login": {"login", "logout"},
    "version": {"version"},
    "doctor": {"doctor", "unshare"},
    "copying": {"copy"},
    "manifest_lists": {"manifest"},
    "worker": {"worker"},
    "kaniko": {"kaniko"},
    "docker_names": {"builder", "buildx", "image", "images", "rmi", "system"},
}


_DOCKER_NAMES = "docker_names"


def command_line(arguments: Sequence[str] | None = None) -> typer.Typer:
    """Return img with the commands that ``arguments`` may name, with all commands if in doubt.

    With None, groups have all of their commands as well.
    """
    app = typer.Typer(
        name="img",
        cls=_Root,
        help=_ABOUT,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog='Use "img [command] --help" for more information about a command.',
        pretty_exceptions_enable=False,
    )
    app.callback(invoke_without_command=True)(root)
    words = set(arguments or ())
    if words and words <= {*_VERSION_OPTIONS}:
        return app
    named = [module for module, names in COMMANDS.items() if names & words]
    if words & {"-h", "--help"} or _COMPLETION in os.environ:
        named = []
    for module in named or COMMANDS:
        if module == _DOCKER_NAMES:  # each imports the module of the command that it names
            complete = arguments is None or _COMPLETION in os.environ
            docker_names = import_module(f"img.entrypoints.cli.{module}")
            docker_names.add_to(app, None if complete else words, alone=bool(named))
        else:
            import_module(f"img.entrypoints.cli.{module}").add_to(app)
    return app


class _Root(commands.Group):
    """The root of all commands. Its help lists Docker's names of commands separately."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        rows = [
            (name, command.get_short_help_str(limit=70))
            for name in self.list_commands(ctx)
            if (command := self.get_command(ctx, name)) is not None
        ]
        theirs = COMMANDS[_DOCKER_NAMES]
        for title, among in (("Commands", False), ("Commands by docker's names", True)):
            listed = [row for row in rows if (row[0] in theirs) is among]
            if listed:
                with formatter.section(title):
                    formatter.write_dl(listed)


def _print_version(wanted: bool) -> None:
    if wanted:
        say(f"img version {__version__}")
        raise typer.Exit


def root(
    ctx: typer.Context,
    state: options.State = None,
    backend: options.Backend = None,
    shared_store: options.SharedStore = None,
    debug: options.Debug = False,
    version: Annotated[  # noqa: ARG001 (its callback acts)
        bool,
        typer.Option(
            *_VERSION_OPTIONS,
            help="Print version information and quit.",
            is_eager=True,
            callback=_print_version,
        ),
    ] = False,
) -> None:
    """Read the options before the command."""
    session = ctx.obj or Session()
    ctx.obj = session.with_options(
        state=state, backend=backend, debug=debug, shared_store=shared_store
    )
    commands.show_help_alone(ctx)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and end the process with its exit code."""
    interrupts.install_handlers()
    try:
        code = run(sys.argv[1:] if arguments is None else list(arguments))
        interrupts.ignore()
    except Exception as bug:
        code = _show_traceback(bug)
    # A second one, or the first again: freeing the memory of a command may take a while.
    except (KeyboardInterrupt, interrupts.Terminated) as interrupt:
        interrupts.ignore()
        code = INTERRUPTED if isinstance(interrupt, KeyboardInterrupt) else TERMINATED
    interrupts.ignore()  # the exit code is decided
    if (lost := output_error()) is not None:
        if not (code or isinstance(lost, BrokenPipeError)):
            code = report(output_lost(lost))
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    with suppress(OSError):
        sys.stderr.flush()
    # Everything is closed. Finalizing the interpreter takes a tenth of the time of a build that
    # has nothing to do.
    atexit._run_exitfuncs()
    os._exit(code)


def _show_traceback(bug: Exception) -> int:
    """Print the traceback of ``bug`` with escaped control characters; return Python's exit code."""
    import traceback

    with suppress(OSError):  # standard error may be what has failed
        say_text("".join(traceback.format_exception(bug)), error=True)
    return 1


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit code (docs/errors.md)."""
    if _names_shell(arguments):
        os.environ[_SHELL_IS_NAMED] = "1"
    try:
        result = invoke(arguments)
        return result if isinstance(result, int) else 0
    except ImgError as error:
        return report(error)
    except commands.UnknownCommand as unknown:
        return _unknown_command(unknown)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except interrupts.Terminated:
        return TERMINATED
    except typer.Exit as exit_:
        return exit_.exit_code
    except BrokenPipeError:
        return 1
    except OSError as error:
        if (lost := output_error()) is not None:
            return report(output_lost(lost))
        if _INSTALLS_COMPLETION in arguments:
            return report(UsageError(f"cannot install completion: {error}"))
        if error.errno not in FULL:
            raise
        return report(disk_full(error))
    except Exception as problem:
        # Python 3.11 wraps an exception of __set_name__ in a RuntimeError.
        if isinstance(problem.__cause__, KeyboardInterrupt):
            return INTERRUPTED
        if isinstance(problem.__cause__, interrupts.Terminated):
            return TERMINATED
        if _COMPLETION in os.environ:  # a shell would print the message into the command line
            return 1
        misuse = misuse_of(problem, arguments)
        if misuse is None:
            raise
        return report(misuse)


def invoke(arguments: list[str], session: Session | None = None) -> object:
    """Run the command line and return the result of its command, or an exit code.

    Raises ImgError, the exceptions of click, and those of interrupts.
    """
    commands.check_words(arguments)
    command = typer.main.get_command(command_line(arguments))
    return command.main(
        commands.modern_spelling(arguments), prog_name="img", standalone_mode=False, obj=session
    )


def misuse_of(problem: Exception, arguments: list[str]) -> UsageError | None:
    """Return the error that the user sees for a complaint of click, None for another exception."""
    if not isinstance(problem, _UsageProblem):
        return None
    from img.domain.dockerfile.suggestion import closest

    context = getattr(problem, "ctx", None)
    named = (word for word in arguments if any(word in names for names in COMMANDS.values()))
    path = context.command_path if context is not None else f"img {next(named, '')}".rstrip()
    message = problem.format_message() if hasattr(problem, "format_message") else str(problem)
    if context is not None and (option := _unknown_option(problem)):
        options_here = [name for each in context.command.params for name in each.opts]
        near = closest(option, [name for name in options_here if name.startswith("--")])
        message = f"no such option: {option}" + (f"; did you mean {near}?" if near else "")
    return UsageError(message.rstrip("."), hint=f"see '{path} --help'")


def _names_shell(arguments: list[str]) -> bool:
    return any(
        option.startswith(tuple(f"{each}=" for each in _COMPLETION_OPTIONS))
        or (option in _COMPLETION_OPTIONS and value and not value.startswith("-"))
        for option, value in zip(arguments, [*arguments[1:], ""], strict=False)
    )


def _unknown_command(unknown: commands.UnknownCommand) -> int:
    from img.domain.dockerfile.suggestion import closest
    from img.domain.shown_text import shown_in_line

    group = unknown.group
    # command_line has not added all commands of img.
    names = set().union(*COMMANDS.values()) if group == "img" else unknown.commands
    if group == "img" and unknown.name in _OF_CONTAINERS:
        proposal = " img builds images; other programs run them (img save NAME | podman load)."
    else:
        near = closest(unknown.name, sorted(names))
        proposal = f" Did you mean '{near}'?" if near else ""
    message = f"'{shown_in_line(unknown.name)}' is not an {group} command.{proposal}"
    say_text(f"{group}: {message}\nSee '{group} --help'\n", error=True)
    return 1


def _unknown_option(problem: Exception) -> str:
    """Return the unknown option that click complains about, "" for other complaints."""
    return str(getattr(problem, "option_name", "")) if hasattr(problem, "possibilities") else ""
