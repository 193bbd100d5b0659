"""Classes of commands and of groups of commands, and the spellings of their options."""

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup

from img.domain.errors import UsageError

if TYPE_CHECKING:
    from img.domain.options.foreign import ForeignOption

_NOTHING: Mapping[str, str] = {}


class UnknownCommand(Exception):
    """A word that is not among ``commands``, the commands of ``group`` (such as "img image")."""

    def __init__(self, name: str, group: str, commands: Collection[str]) -> None:
        super().__init__(name)
        self.name = name
        self.group = group
        self.commands = commands


class Group(TyperGroup):
    """A group of commands, and the options before them."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, _respelled(self, ctx, args))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[Any, Any, Any]:
        if not ctx.resilient_parsing and self.get_command(ctx, args[0]) is None:
            raise UnknownCommand(args[0], ctx.command_path, self.list_commands(ctx))
        return super().resolve_command(ctx, args)


def show_help_alone(ctx: typer.Context) -> None:
    """Print the help of a group of commands if no command was given."""
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


def followed_by(
    words: str = "",
    *,
    foreign: "Callable[[], Mapping[str, ForeignOption]]" = dict,
    implied: Mapping[str, str] = _NOTHING,
) -> type[TyperCommand]:
    """Return a class of commands that show ``words`` after the options in their usage line.

    ``foreign`` returns the options of other builders to accept or refuse; it is called when
    arguments are parsed. Options in ``implied`` take a value only after "=".
    """

    class Command(TyperCommand):
        def collect_usage_pieces(self, ctx: Any) -> list[str]:
            return [piece for piece in (self.options_metavar, words) if piece]

        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            return super().parse_args(ctx, _respelled(self, ctx, args, foreign, implied))

    return Command


def _respelled(
    command: TyperCommand | TyperGroup,
    ctx: Any,
    words: list[str],
    foreign: "Callable[[], Mapping[str, ForeignOption]]" = dict,
    implied: Mapping[str, str] = _NOTHING,
) -> list[str]:
    if not any(word[:1] == "-" for word in words):
        return [*words]
    from img.entrypoints.cli.arguments import Spellings, Switch  # slow to import

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
        if ctx.resilient_parsing:  # a shell completes the line
            return words
        raise


# img 0.5 took Go's long flags with one dash. Typer would read `-target` as `-t arget`.
_OTHER_PROGRAMS = ("unshare", "kaniko")
_ONE_DASH = ("state", "backend", "build-arg", "target", "password-stdin")


def check_words(words: Iterable[str]) -> None:
    """Raise UsageError for a word that cannot be the argument of a program (execve(2)).

    A shell passes none; a program that uses ``img`` as a library can.
    """
    for word in words:
        try:
            possible = b"\0" not in os.fsencode(word)
        except UnicodeEncodeError:  # a surrogate that stands for no byte
            possible = False
        if not possible:
            raise UsageError(f'"{word}" has a character that no argument of a program can have')


def modern_spelling(arguments: list[str]) -> list[str]:
    """Return ``arguments`` with the long flags of img 0.5 spelled with two dashes.

    Words after "--", and words of another program (``img unshare``), are not changed.
    """
    modern: list[str] = []
    for i, argument in enumerate(arguments):
        if argument == "--" or (argument in _OTHER_PROGRAMS and all(w[:1] == "-" for w in modern)):
            return [*modern, *arguments[i:]]
        name = argument[1:].partition("=")[0]
        is_old = argument.startswith("-") and name in _ONE_DASH
        modern.append(f"-{argument}" if is_old else argument)
    return modern
