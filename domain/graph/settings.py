"""Instructions without a layer (ENV, ARG, CMD, USER …): edits of the image's config.

History lines are exactly those of BuildKit (dockerfile2llb/convert.go).
"""

from dataclasses import replace
from functools import partial
from typing import assert_never

from img.domain.dockerfile.instructions import (
    Arg,
    Cmd,
    Command,
    Entrypoint,
    Env,
    Expose,
    Healthcheck,
    Label,
    Maintainer,
    OnBuild,
    Shell,
    StopSignal,
    User,
    Volume,
)
from img.domain.dockerfile.ports import parse_ports
from img.domain.dockerfile.signals import check_signal
from img.domain.dockerfile.stage_variables import Pairs, argument_value, expanded_pairs
from img.domain.dockerfile.variables import expand_words
from img.domain.errors import DockerfileError
from img.domain.go import formatting
from img.domain.graph.state import StageScope, StageState
from img.domain.oci.config import Health, RunConfig
from img.domain.platform import Platform
from img.domain.process import DEFAULT_PATH

Setting = (
    Env
    | Label
    | Arg
    | User
    | Shell
    | Cmd
    | Entrypoint
    | Expose
    | Volume
    | StopSignal
    | Healthcheck
    | OnBuild
    | Maintainer
)


def apply_setting(scope: StageScope, state: StageState, setting: Setting) -> StageState:
    """Return the state after ``setting``. Raises DockerfileError."""
    match setting:
        case Env():
            return _env(scope, state, setting)
        case Label():
            return _label(scope, state, setting)
        case Arg():
            return _arg(scope, state, setting)
        case User():
            user = scope.expand(state, setting.user, setting.lines)
            return state.with_run(replace(state.run, user=user)).with_history(f"USER {user}")
        case Shell():
            text = f"SHELL {formatting.plain_list(setting.words)}"
            return state.with_run(replace(state.run, shell=setting.words)).with_history(text)
        case Cmd():
            return _cmd(state, setting)
        case Entrypoint():
            return _entrypoint(state, setting)
        case Expose():
            return _expose(scope, state, setting)
        case Volume():
            return _volume(scope, state, setting)
        case StopSignal():
            return _stop_signal(scope, state, setting)
        case Healthcheck():
            return _healthcheck(state, setting)
        case OnBuild():
            triggers = (*state.run.on_build, setting.expression)
            return state.with_run(replace(state.run, on_build=triggers))
        case Maintainer():
            config = replace(state.config, author=setting.name)
            return replace(state, config=config).with_history(f"MAINTAINER {setting.name}")
        case _:
            assert_never(setting)


def shell_words(state: StageState, text: str) -> tuple[str, ...]:
    """Return the arguments that run ``text`` in the stage's shell."""
    windows = state.config.platform.os == "windows"
    default = ("cmd", "/S", "/C") if windows else ("/bin/sh", "-c")
    return (*(state.run.shell or default), text)


def with_path(run: RunConfig, platform: Platform) -> RunConfig:
    """Return the config with PATH set, unless it has one (Windows images set their own)."""
    if any(name == "PATH" for name, _ in run.env) or platform.os == "windows":
        return run
    return run.with_env([("PATH", DEFAULT_PATH)])


def _argv(state: StageState, command: Command) -> tuple[str, ...]:
    return shell_words(state, " ".join(command.words)) if command.shell else command.words


def _pairs(scope: StageScope, state: StageState, setting: Env | Label) -> Pairs:
    return expanded_pairs(setting.pairs, partial(scope.expand, state, lines=setting.lines))


def _env(scope: StageScope, state: StageState, setting: Env) -> StageState:
    pairs = _pairs(scope, state, setting)
    state = replace(state, variables=state.variables.with_values(pairs))
    text = "".join(f" {name}={value}" for name, value in pairs)
    return state.with_run(state.run.with_env(pairs)).with_history(f"ENV{text}")


def _label(scope: StageScope, state: StageState, setting: Label) -> StageState:
    pairs = _pairs(scope, state, setting)
    run = replace(state.run, labels={**state.run.labels, **dict(pairs)})
    text = "".join(f" {name}={value}" for name, value in pairs)
    return state.with_run(run).with_history(f"LABEL{text}")


def _arg(scope: StageScope, state: StageState, setting: Arg) -> StageState:
    shown: list[str] = []
    for argument in setting.arguments:
        value = argument_value(
            argument,
            scope.request.build_args,
            scope.global_arguments,
            partial(scope.expand, state, lines=setting.lines),
        )
        shown.append(argument.name if value is None else f"{argument.name}={value}")
        state = replace(state, variables=state.variables.with_argument(argument.name, value))
    return state.with_history(f"ARG {' '.join(shown)}")


def _cmd(state: StageState, setting: Cmd) -> StageState:
    argv = _argv(state, setting.command)
    state = state.with_run(replace(state.run, cmd=argv, args_escaped=True))
    return replace(state, cmd_set=True).with_history(f"CMD {formatting.quoted_list(argv)}")


def _entrypoint(state: StageState, setting: Entrypoint) -> StageState:
    """Return the state with the entrypoint; a CMD of the base, for the old one, is removed."""
    argv = _argv(state, setting.command)
    run = replace(state.run, entrypoint=argv, cmd=state.run.cmd if state.cmd_set else None)
    return state.with_run(run).with_history(f"ENTRYPOINT {formatting.quoted_list(argv)}")


def _expose(scope: StageScope, state: StageState, setting: Expose) -> StageState:
    env = state.env
    words = [
        word
        for port in setting.ports  # duplicates are kept
        for word in expand_words(port, env, scope.escape, lines=setting.lines)
    ]
    ports = parse_ports(words, lines=setting.lines)
    run = replace(state.run, exposed_ports=tuple(sorted({*state.run.exposed_ports, *ports})))
    return state.with_run(run).with_history(f"EXPOSE {formatting.plain_list(ports)}")


def _volume(scope: StageScope, state: StageState, setting: Volume) -> StageState:
    volumes = tuple(scope.expand(state, path, setting.lines) for path in setting.paths)
    if not all(volumes):
        raise DockerfileError("VOLUME specified can not be an empty string", lines=setting.lines)
    run = replace(state.run, volumes=tuple(sorted({*state.run.volumes, *volumes})))
    return state.with_run(run).with_history(f"VOLUME {formatting.plain_list(volumes)}")


def _stop_signal(scope: StageScope, state: StageState, setting: StopSignal) -> StageState:
    signal = scope.expand(state, setting.signal, setting.lines)
    check_signal(signal, lines=setting.lines)
    run = replace(state.run, stop_signal=signal)
    return state.with_run(run).with_history(f"STOPSIGNAL {signal}")


def _healthcheck(state: StageState, setting: Healthcheck) -> StageState:
    health = Health(
        test=setting.test,
        interval=setting.interval,
        timeout=setting.timeout,
        start_period=setting.start_period,
        start_interval=setting.start_interval,
        retries=setting.retries,
    )
    text = (
        f"Test:{formatting.plain_list(health.test)} "
        f"Interval:{formatting.duration(health.interval)} "
        f"Timeout:{formatting.duration(health.timeout)} "
        f"StartPeriod:{formatting.duration(health.start_period)} "
        f"StartInterval:{formatting.duration(health.start_interval)} Retries:{health.retries}"
    )
    state = state.with_run(replace(state.run, healthcheck=health))
    return state.with_history(f"HEALTHCHECK {{{text}}}")
