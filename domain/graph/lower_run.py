"""Vertices of RUN and its mounts."""

from collections.abc import Iterable, Mapping, Sequence

from img.domain.dockerfile.heredoc import heredoc_opening
from img.domain.dockerfile.instructions import Command, Run
from img.domain.dockerfile.stage_variables import Pairs, with_variables
from img.domain.errors import DockerfileError
from img.domain.graph.heredoc_files import file_name_of
from img.domain.graph.lower_mounts import lower_mounts
from img.domain.graph.names import command_text, name_step
from img.domain.graph.operations import SANDBOX_HOSTNAME, Exec, ExecMount, InlineFile
from img.domain.graph.settings import shell_words
from img.domain.graph.state import StageScope, StageState
from img.domain.graph.vertex import Vertex
from img.domain.process import Network

SCRIPTS = "/dev/pipes"  # the directory of heredocs that run as scripts
_HOSTNAME = "BUILDKIT_SANDBOX_HOSTNAME"
_PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy")


def lower_run(
    scope: StageScope,
    state: StageState,
    run: Run,
    sources: Sequence[int | None],
    *,
    on_build: bool = False,
) -> StageState:
    """Return the state after RUN; ``sources`` are the vertices of its mounts' ``from``.

    Raises DockerfileError.
    """
    words, files = _command(state, run)
    argv = shell_words(state, " ".join(words)) if run.command.shell else words
    lowered = lower_mounts(scope, state, run, sources)
    mounts = lowered.mounts
    operation = Exec(
        argv=argv,
        env=_environment(state.env, mounts),
        cwd=state.directory,
        user=state.run.user,
        network=_network(scope, run),
        insecure=run.security == "insecure",
        mounts=mounts,
        hosts=scope.request.hosts,
        shm_size=scope.request.shm_size,
        ulimits=scope.request.ulimits,
        files=files,
        hidden_env=proxy_variables(scope.request.build_args),
        hostname=scope.request.build_args.get(_HOSTNAME, SANDBOX_HOSTNAME),
        epoch=scope.epoch,
        devices=run.devices,
        platform=state.platform,
        volumes=scope.request.volumes,
    )
    text = command_text(_summary(run), _masked(state.env, mounts), scope.escape, shell_text=True)
    history = history_of(state, argv)
    scope.graph.note_added(sum(len(value) for _, value in state.variables.arguments), run.lines)
    state, name = name_step(scope, state, text, on_build=on_build)
    vertex = Vertex(
        operation=operation,
        inputs=(state.root, *lowered.inputs),
        name=name,
        lines=run.lines,
        ignore_cache=scope.ignore_cache or not operation.is_cacheable,
        arguments=tuple(name for name, _ in state.variables.arguments),
    )
    return state.with_history(history, scope.graph.add(vertex))


def history_of(state: StageState, argv: Sequence[str]) -> str:
    """Return ``RUN |1 A=1 /bin/sh -c make # buildkit``: ARGs in scope, then the command."""
    arguments = {name: state.env.get(name, value) for name, value in state.variables.arguments}
    shown = [f"|{len(arguments)}"] if arguments else []
    shown += [f"{name}={value}" for name, value in arguments.items()]
    return " ".join(("RUN", *shown, *argv, "# buildkit"))


def proxy_variables(build_args: Mapping[str, str]) -> Pairs:
    """Return the proxies of --build-arg, each in upper case and in lower case.

    If both are given, the lower-case one counts (BuildKit, proxyEnvFromBuildArgs).
    """
    given = {name.lower(): build_args[name] for name in sorted(build_args)}
    return tuple(
        pair
        for name in _PROXIES
        if given.get(name)
        for pair in ((name.upper(), given[name]), (name, given[name]))
    )


def _command(state: StageState, run: Run) -> tuple[tuple[str, ...], tuple[InlineFile, ...]]:
    """Return the command, and the heredocs that are separate scripts.

    A single heredoc is the shell's text, or a script if it begins with ``#!``. Other heredocs are
    part of the shell's text again (Dockerfile reference, "Here-Documents").
    """
    command = run.command
    if not command.heredocs:
        return command.words, ()
    if not command.shell:
        raise DockerfileError("the exec form of RUN takes no heredoc", lines=run.lines)
    if heredoc_opening(command.words[0]) is None:
        return (_reassembled(command),), ()
    heredoc = command.heredocs[0]
    if heredoc.content.startswith("#!") and state.config.platform.os != "windows":
        name = file_name_of(heredoc, run.lines)
        script = InlineFile(name=name, content=heredoc.content, mode=0o755)
        return (f"{SCRIPTS}/{name}",), (script,)
    return (heredoc.content,), ()


def _reassembled(command: Command) -> str:
    bodies = (f"\n{heredoc.as_written}{heredoc.name}" for heredoc in command.heredocs)
    return command.words[0] + "".join(bodies)


def _summary(run: Run) -> str:
    """Return the instruction for progress; a single heredoc is shown by its first line."""
    command = run.command
    if not command.heredocs or heredoc_opening(command.words[0]) is None:
        return run.original
    first, more, _ = command.heredocs[0].content.strip().partition("\n")
    return f"{run.original} ({first}{'...' if more else ''})"


def _network(scope: StageScope, run: Run) -> Network:
    match run.network:
        case "none":
            return Network.NONE
        case "host" if _refuses_host_network(scope):
            raise DockerfileError(
                f"RUN --network=host is not allowed with --network {scope.request.network.value}",
                hint="--allow network.host allows it",
                lines=run.lines,
            )
        case "host":
            return Network.HOST
        case _:
            return scope.request.network


def _refuses_host_network(scope: StageScope) -> bool:
    """Return whether the command line forbids the host's network, which a RUN may ask for."""
    return scope.request.network is not Network.HOST and not scope.request.host_network


def _environment(env: Mapping[str, str], mounts: Iterable[ExecMount]) -> Pairs:
    """Return the variables of the process: ``env``, and the socket of the first agent."""
    socket = next((mount.target for mount in mounts if mount.type == "ssh"), None)
    if socket is not None and "SSH_AUTH_SOCK" not in env:
        env = with_variables(env, [("SSH_AUTH_SOCK", socket)])
    return tuple(env.items())


def _masked(env: Mapping[str, str], mounts: Iterable[ExecMount]) -> Mapping[str, str]:
    """Return the variables for progress, with the values of secrets masked."""
    return {**env, **{mount.env: "****" for mount in mounts if mount.env}}
