"""Docker's names of img's commands: ``images``, ``image ls``, ``builder prune`` and more."""

from collections.abc import Collection
from importlib import import_module
from typing import Any

import typer

from img.entrypoints.cli.commands import Group, show_help_alone

_BUILD, _BAKE = ("build", "build"), ("bake", "bake")
_DU, _PRUNE = ("state", "du"), ("cache_pruning", "builder prune")
_LS, _RM = ("images", "ls"), ("images", "rm")

# Docker's name → the module of the command, and its own name.
_ALONE = {"images": _LS, "rmi": _RM}
_GROUPS = {
    "image": (
        "Manage images.",
        {
            "build": _BUILD,
            "history": ("image_history", "history"),
            "inspect": ("inspection", "inspect"),
            "load": ("transfer", "load"),
            "ls": _LS,
            "list": _LS,
            "prune": ("image_pruning", "image prune"),
            "pull": ("transfer", "pull"),
            "push": ("transfer", "push"),
            "rm": _RM,
            "remove": _RM,
            "save": ("transfer", "save"),
            "tag": ("images", "tag"),
        },
    ),
    "system": (
        "Show and clean up what the state holds.",
        {"df": _DU, "prune": ("image_pruning", "system prune")},
    ),
    "builder": ("Manage builds.", {"build": _BUILD, "prune": _PRUNE}),
    "buildx": (
        "Manage builds.",
        {
            "build": _BUILD,
            "b": _BUILD,
            "bake": _BAKE,
            "f": _BAKE,
            "du": _DU,
            "prune": _PRUNE,
            "version": ("version", "version"),
        },
    ),
}


def add_to(app: typer.Typer, words: Collection[str] | None = None, *, alone: bool = False) -> None:
    """Add the commands; with ``alone``, only commands among ``words``.

    A group among ``words`` gets its commands that are among ``words``, or all if none is. Other
    groups are only listed, so they get no commands. With None, all groups get all commands.
    """
    for name, place in _ALONE.items():
        if not alone or words is None or name in words:
            _add(app, name, *place, note=f" (img {place[1]})")
    for name, (about, commands) in _GROUPS.items():
        is_named = words is None or name in words
        if alone and not is_named:
            continue
        shown = ", ".join(each for each in commands if len(each) > 1)
        group = typer.Typer(
            cls=Group,
            help=f"{about} These are Docker's names of img's commands.",
            short_help=f"{about[:-1]}: {shown}.",
            callback=show_help_alone,
            invoke_without_command=True,
            rich_markup_mode=None,
        )
        wanted = ({*commands} & {*(words or ())} or {*commands}) if is_named else set()
        for command, place in commands.items():
            if command in wanted:
                _add(group, command, *place)
        app.add_typer(group, name=name)


def _add(app: typer.Typer, name: str, module: str, command: str, *, note: str = "") -> None:
    """Add a command under another name."""
    own = typer.Typer()
    import_module(f"img.entrypoints.cli.{module}").add_to(own)
    found: Any = next(each for each in own.registered_commands if each.name == command)
    short = f"{(found.short_help or '').rstrip('.')}{note}."
    app.command(name, cls=found.cls, short_help=short)(found.callback)
