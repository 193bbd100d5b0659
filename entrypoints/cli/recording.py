"""Records of the builds of ``img build`` and ``img bake``."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

from img import __version__
from img.domain.errors import NotFoundError, UsageError
from img.domain.graph.codec import Json
from img.domain.history.facts import redacted, shown_value
from img.entrypoints.cli.output import say

if TYPE_CHECKING:
    from img.application.history.recorder import BuildRecorder
    from img.entrypoints.wiring.root import Container

_GIVEN = ("COMMANDLINE", "ENVIRONMENT")  # click.core.ParameterSource
_NAME_AND_VALUE = ("build_arg", "override", "var")
_LEFT_OUT = ("path", "state", "backend", "debug", "quiet", "progress", "no_console")


@contextmanager
def recorded(
    container: "Container", command: str, options: dict[str, Json]
) -> Iterator["BuildRecorder | None"]:
    """Record the build that is done inside; yield None if builds are not recorded."""
    if not container.records:
        yield None
        return
    recorder = container.system.recorder()
    namespace = container.storage.cache_namespace()
    with recorder.recording(command, options, namespace, __version__):
        yield recorder


@contextmanager
def explaining(container: "Container", explain: bool) -> Iterator[None]:
    """Print why steps ran at the end of the build inside, also of one that fails.

    Raises UsageError if builds are not recorded.
    """
    if not explain:
        yield
        return
    if not container.records:
        raise UsageError("--explain needs a record of the build", hint="leave out IMG_HISTORY=0")
    try:
        yield
    finally:
        from img.entrypoints.cli.why import explain_latest

        with suppress(NotFoundError):  # the disk is full, and the build's own error counts
            for line in explain_latest(container, container.system.recorder().id):
                say(line, error=True)


def entering_failure(container: "Container", on_fail: str) -> AbstractContextManager[None]:
    """Return a context that opens a shell in a step that fails inside, if ``on_fail`` asks."""
    if on_fail != "shell":
        return nullcontext()
    from img.entrypoints.cli.step_shell import shell_on_failure

    return shell_on_failure(container)


def given_options(ctx: Any) -> dict[str, Json]:
    """Return the options that the command line or the environment gave, without secrets.

    Names are those of the API: ``build_arg``.
    """
    given: dict[str, Json] = {}
    for name, value in ctx.params.items():
        source = ctx.get_parameter_source(name)
        if source is not None and source.name in _GIVEN and name not in _LEFT_OUT:
            given[name] = _kept(name, value)
    return {**given, "directory": os.getcwd()}


def _kept(name: str, value: object) -> Json:
    match value:
        case bool() | int():
            return value
        case list() | tuple():
            return [_kept(name, each) for each in value]
        case str() if name in _NAME_AND_VALUE and "=" in value:
            key, _, text = value.partition("=")
            return f"{key}={shown_value(key.rpartition('.')[2], text)}"
        case _:
            return redacted(str(value))
