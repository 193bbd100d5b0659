"""Options that commands share."""

import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from img.domain.errors import UsageError
from img.entrypoints.settings import RegistryAccess

if TYPE_CHECKING:
    from img.domain.options.foreign import ForeignOption

State = Annotated[
    str | None,
    typer.Option("--state", "-s", help="Directory to hold the global state.", metavar="DIR"),
]
Backend = Annotated[
    str | None,
    typer.Option(
        "--backend",
        "-b",
        help="Backend for snapshots: auto, overlayfs, naive or fuse.",
        metavar="NAME",
    ),
]
Debug = Annotated[bool, typer.Option("--debug", "-d", help="Enable debug logging.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]
Insecure = Annotated[
    bool,
    typer.Option("--insecure-registry", help="Talk plain HTTP to the registry in the name."),
]
TlsVerify = Annotated[
    bool, typer.Option("--tls-verify/--no-tls-verify", help="Check registries' certificates.")
]
AuthFile = Annotated[
    str,
    typer.Option("--authfile", help="Credentials file, in place of the usual.", metavar="FILE"),
]
Filter = Annotated[
    str, typer.Option("--filter", "-f", help="Only what contains this text.", metavar="TEXT")
]

_NOTHING: Mapping[str, str] = {}


class UnknownCommand(Exception):
    """A word that names no command of ``group``, such as "img image", which has ``commands``."""

    def __init__(self, name: str, group: str, commands: Collection[str]) -> None:
        super().__init__(name)
        self.name = name
        self.group = group
        self.commands = commands


class Group(TyperGroup):
    """Commands, and the options before them."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, _respelled(self, ctx, args))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[Any, Any, Any]:
        if not ctx.resilient_parsing and self.get_command(ctx, args[0]) is None:
            raise UnknownCommand(args[0], ctx.command_path, self.list_commands(ctx))
        return super().resolve_command(ctx, args)


def show_help_alone(ctx: typer.Context) -> None:
    """Print the help of a group of commands where none of them was named."""
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


def followed_by(
    words: str = "",
    *,
    foreign: "Callable[[], Mapping[str, ForeignOption]]" = dict,
    implied: Mapping[str, str] = _NOTHING,
) -> type[TyperCommand]:
    """Return the class of commands whose usage has ``words`` after the options.

    It takes or refuses the options that ``foreign`` returns, which is asked when words are read;
    those in ``implied`` have a value only behind "=".
    """

    class Command(TyperCommand):
        def collect_usage_pieces(self, ctx: Any) -> list[str]:
            return [piece for piece in (self.options_metavar, words) if piece]

        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            return super().parse_args(ctx, _respelled(self, ctx, args, foreign, implied))

    return Command


def one_of(*values: str) -> Callable[[str], list[str]]:
    """Return what proposes those of ``values`` that begin as typed, for ``autocompletion``."""
    return lambda incomplete: [value for value in values if value.startswith(incomplete)]


def _respelled(
    command: TyperCommand | TyperGroup,
    ctx: Any,
    words: list[str],
    foreign: "Callable[[], Mapping[str, ForeignOption]]" = dict,
    implied: Mapping[str, str] = _NOTHING,
) -> list[str]:
    if not any(word[:1] == "-" for word in words):
        return [*words]
    from img.entrypoints.cli.arguments import Spellings, Switch  # only now: it takes a moment

    switches: dict[str, Switch] = {}
    valued: set[str] = set()
    for each in command.params:
        if each.param_type_name != "option" or each.is_eager:
            continue
        if not getattr(each, "is_flag", False):
            valued.update(set(each.opts) - implied.keys())
            continue
        on, off = each.opts[0], (*each.secondary_opts, "")[0]
        switches |= dict.fromkeys(each.opts, Switch(on=on, off=off))
        switches |= dict.fromkeys(each.secondary_opts, Switch(on=off, off=on))
    spellings = Spellings(
        switches=switches,
        valued=frozenset(valued),
        implied=implied,
        foreign=foreign(),
        interspersed=ctx.allow_interspersed_args,
    )
    try:
        return spellings.respelled(words)
    except UsageError:
        if ctx.resilient_parsing:  # a shell asks what may follow
            return words
        raise


def access(
    domains: Collection[str],
    *,
    insecure: bool,
    tls_verify: bool,
    auth_file: str,
    new_auth_file: bool = False,
) -> RegistryAccess:
    """Return what the options say; ``insecure`` is meant for the registries ``domains``.

    Raises UsageError if ``auth_file`` is not there, unless it may be a new one.
    """
    if auth_file and not new_auth_file and not os.path.lexists(auth_file):
        raise UsageError(f"--authfile {auth_file}: no such file", hint="`img login` makes one")
    return RegistryAccess(
        insecure=frozenset(domains) if insecure else frozenset(),
        tls_verify=tls_verify,
        auth_file=Path(auth_file) if auth_file else None,
    )


# The seed took Go's single-dash long flags; `-target` would else be read as `-t arget`.
_SEED_SPELLINGS = ("state", "backend", "build-arg", "target", "password-stdin")


def modern_spelling(arguments: list[str]) -> list[str]:
    """Return ``arguments`` with the seed's long flags spelled with two dashes.

    What follows "--", or is another program's (``img unshare``), stays as it is.
    """
    modern: list[str] = []
    for i, argument in enumerate(arguments):
        if argument == "--" or (argument == "unshare" and all(w[:1] == "-" for w in modern)):
            return [*modern, *arguments[i:]]
        name = argument[1:].partition("=")[0]
        seed = argument.startswith("-") and name in _SEED_SPELLINGS
        modern.append(f"-{argument}" if seed else argument)
    return modern
