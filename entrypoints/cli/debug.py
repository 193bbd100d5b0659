"""``img debug``: a shell or another command where a step of an earlier build ran."""

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from img.domain.errors import UsageError
from img.domain.go.booleans import parse_boolean
from img.domain.options.network import parse_resolver
from img.domain.options.resources import parse_resources
from img.domain.options.secrets import AgentSpec, SecretSpec
from img.domain.process import Network
from img.entrypoints.cli import commands
from img.entrypoints.cli.build_request import ca_choice
from img.entrypoints.cli.options import Texts, option
from img.entrypoints.cli.params import shared_options
from img.entrypoints.cli.session import Needs, Session
from img.entrypoints.cli.step_shell import enter_step, require_terminal
from img.entrypoints.settings import Surroundings

if TYPE_CHECKING:
    from img.domain.history.record import BuildRecord
    from img.domain.resources import Resources

_COMMAND = "img.debug.command"  # in the context
_LIMITS = (
    *("memory", "memory-swap", "cpus", "cpu-shares", "cpu-period", "cpu-quota"),
    *("cpuset-cpus", "cpuset-mems", "cgroup-parent"),
)
_SURROUNDINGS = ("dns", "dns_search", "dns_option", "inject_ca", "directory")
_Base: Any = commands.followed_by("[BUILD] [STEP] [-- COMMAND...]")


class _Debug(_Base):  # type: ignore[misc]
    """A command line with another command after ``--``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if "--" in args:
            place = args.index("--")
            ctx.meta[_COMMAND] = tuple(args[place + 1 :])
            args = args[:place]
        found: list[str] = super().parse_args(ctx, args)
        return found


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "debug", cls=_Debug, short_help="Open a shell where a step of an earlier build ran."
    )(debug)


@shared_options
def debug(
    ctx: typer.Context,
    session: Session,
    words: Annotated[Texts, typer.Argument(hidden=True)] = None,
    before: Annotated[
        bool,
        option("--before/--after", says="Use the files before or after the step (default: after)."),
    ] = False,
    tty: Annotated[
        bool, option("-t", "--tty", says="Give COMMAND a terminal, as a shell has one.")
    ] = False,
    user: Annotated[
        str, option("-u", "--user", says="Run as this user.", value="USER[:GROUP]")
    ] = "",
    workdir: Annotated[
        str, option("-w", "--workdir", says="Start in this directory.", value="/PATH")
    ] = "",
    secret: Annotated[
        Texts,
        option("--secret", says="Give a secret again.", value="id=ID[,src=FILE|,env=NAME]"),
    ] = None,
    ssh: Annotated[
        Texts, option("--ssh", says="Give an SSH agent or keys again.", value="ID[=SOCKET|KEY]")
    ] = None,
    executor: Annotated[
        str | None, option("--executor", says="Run the command by this executor.", value="NAME")
    ] = None,
    emulate: Annotated[
        str, option("--emulate", says="Emulate root: full, ids, fake or off.", value="HOW")
    ] = "full",
) -> None:
    """Open a shell with the files, variables, user, directory, mounts and limits of a step.

    BUILD and STEP are those of `img history`; the default is the step that failed last. COMMAND
    runs in place of the shell, with neither terminal nor input unless -t is given.
    """
    from img.application.usecases.debug_step import OtherSettings

    if workdir and not workdir.startswith("/"):
        raise UsageError(f"--workdir {workdir}: use an absolute path")
    argv = ctx.meta.get(_COMMAND) or ()
    has_terminal = tty or not argv
    if has_terminal:
        require_terminal("-t" if argv else "a shell", hint="pass a command: `img debug -- COMMAND`")
    with session.open() as container:
        record, step = container.housekeeping.read_history().find_step(words or (), failed=True)
    if step is None:
        raise UsageError(
            f"no step of build {record.id} failed", hint="name a step of `img history inspect`"
        )
    with session.open(
        needs=Needs.BUILD,
        quiet=True,
        secrets=tuple(SecretSpec.parse(text) for text in secret or ()),
        agents=tuple(AgentSpec.parse(text) for text in ssh or ()),
        resources=_limits(record),
        surroundings=surroundings_of(record),
        emulate=emulate,
        executor=executor,
    ) as container:
        other = OtherSettings(user=user, cwd=workdir)
        status = enter_step(
            container, record, step, argv, before=before, has_terminal=has_terminal, other=other
        )
    raise typer.Exit(status.code)


def _limits(record: "BuildRecord") -> "Resources":
    """Return the limits of the build's steps."""
    from img.domain.history.record import texts_in

    given = {name: texts_in(record.options.get(name.replace("-", "_"))) for name in _LIMITS}
    limits = {name: texts[0] if texts else "" for name, texts in given.items()}
    return parse_resources(limits, texts_in(record.options.get("resource")))


def surroundings_of(record: "BuildRecord") -> Surroundings:
    """Return the name servers and CA certificates of the build's steps. Raises UsageError."""
    from img.domain.history.record import texts_in

    given = {
        name: tuple(filter(None, texts_in(record.options.get(name)))) for name in _SURROUNDINGS
    }
    choice, directory = (*given["inject_ca"], ""), (*given["directory"], "/")
    is_switch = not choice[0] or parse_boolean(choice[0]) is not None
    return Surroundings(
        resolver=parse_resolver(
            given["dns"], given["dns_search"], given["dns_option"], Network.HOST
        ),
        inject_ca=ca_choice(choice[0] if is_switch else os.path.join(directory[0], choice[0])),
    )
