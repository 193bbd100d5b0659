"""The options that most commands have, as parameters of the functions behind the commands."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import typer

from img.entrypoints.cli import options
from img.entrypoints.cli.options import (
    CLUSTER,
    INPUTS,
    BuildInputs,
    ClusterOptions,
    RegistryOptions,
)
from img.entrypoints.cli.session import Session


def _option(name: str, annotation: object, default: object) -> inspect.Parameter:
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Parameter(name, kind, annotation=annotation, default=default)


_CONTEXT = inspect.Parameter(
    "ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
)
# In the order of the help.
_OPTIONS = {
    RegistryOptions: (
        _option("insecure", options.Insecure, default=False),
        _option("tls_verify", options.TlsVerify, default=True),
        _option("authfile", options.AuthFile, default=""),
    ),
    BuildInputs: tuple(
        _option(name, annotation, default) for name, (annotation, default) in INPUTS.items()
    ),
    ClusterOptions: tuple(
        _option(name, annotation, default) for name, (annotation, default) in CLUSTER.items()
    ),
    Session: (
        _option("state", options.State, default=None),
        _option("backend", options.Backend, default=None),
        _option("shared_store", options.SharedStore, default=None),
        _option("debug", options.Debug, default=False),
    ),
}


_MADE_BY: dict[type, Callable[..., object]] = {
    RegistryOptions: RegistryOptions,
    BuildInputs: BuildInputs.given,
    ClusterOptions: ClusterOptions.given,
}


def shared_options(command: Callable[..., object]) -> Callable[..., object]:
    """Return ``command`` with options in place of its parameters of the types in ``_OPTIONS``.

    A Session takes what the options before the command say, unless those after it say otherwise.
    """
    own = inspect.signature(command).parameters
    made = {
        kind: parameter.name
        for kind in _OPTIONS
        for parameter in own.values()
        if parameter.annotation is kind
    }

    @functools.wraps(command)
    def run(ctx: typer.Context, **given: Any) -> object:
        for kind, name in made.items():
            values = {option.name: given.pop(option.name) for option in _OPTIONS[kind]}
            if kind is Session:
                given[name] = ctx.obj.with_options(command=ctx.command_path, **values)
            else:
                given[name] = _MADE_BY[kind](**values)
        if "ctx" in own:
            given["ctx"] = ctx
        return command(**given)

    parameters = [
        _CONTEXT,
        *(option for kind in made if kind is BuildInputs for option in _OPTIONS[kind]),
        *(each for each in own.values() if each.name not in {*made.values(), "ctx"}),
        *(option for kind in made if kind is not BuildInputs for option in _OPTIONS[kind]),
    ]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run
