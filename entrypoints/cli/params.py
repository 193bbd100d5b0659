"""The options that most commands have, as parameters of the functions behind the commands."""

import functools
import inspect
from collections.abc import Callable

import typer

from img.entrypoints.cli import options
from img.entrypoints.cli.options import OptionTable, RegistryOptions
from img.entrypoints.cli.session import Session

_CONTEXT = inspect.Parameter(
    "ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
)
_REGISTRY: OptionTable = {
    "insecure": (options.Insecure, False),
    "tls_verify": (options.TlsVerify, True),
    "authfile": (options.AuthFile, ""),
}
_SESSION: OptionTable = {
    "state": (options.State, None),
    "backend": (options.Backend, None),
    "shared_store": (options.SharedStore, None),
    "debug": (options.Debug, False),
}
_AT_THE_END = ("registries", "cluster", "session")


def shared_options(command: Callable[..., object]) -> Callable[..., object]:
    """Return ``command`` with options in place of the parameters that are groups of options.

    A group is a Session, RegistryOptions, or a class with a table ``OPTIONS`` and the class method
    ``given``. Its options stand in the help where the parameter stands; those of registries, of the
    cluster and of the session come last. A Session takes what the options before the command say,
    unless those after it say otherwise.
    """
    own = inspect.signature(command).parameters
    groups = {
        name: (each.annotation, _options_of(table))
        for name, each in own.items()
        if (table := _table_of(each.annotation)) is not None
    }

    @functools.wraps(command)
    def run(ctx: typer.Context, **given: object) -> object:
        for name, (kind, group) in groups.items():
            values = {option.name: given.pop(option.name) for option in group}
            if kind is Session:
                given[name] = ctx.obj.with_options(command=ctx.command_path, **values)
            else:
                given[name] = getattr(kind, "given", kind)(**values)
        if "ctx" in own:
            given["ctx"] = ctx
        return command(**given)

    last = [name for name in _AT_THE_END if name in groups]
    names = [*(name for name in own if name not in {*last, "ctx"}), *last]
    parameters = [
        _CONTEXT,
        *(
            each.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for name in names
            for each in (groups[name][1] if name in groups else [own[name]])
        ),
    ]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run


def _table_of(kind: type) -> OptionTable | None:
    if kind is Session:
        return _SESSION
    return _REGISTRY if kind is RegistryOptions else getattr(kind, "OPTIONS", None)


def _options_of(table: OptionTable) -> list[inspect.Parameter]:
    return [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default
        )
        for name, (annotation, default) in table.items()
    ]
