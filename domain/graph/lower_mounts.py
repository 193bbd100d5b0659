"""Mounts of a vertex from ``RUN --mount`` (BuildKit dockerfile2llb/convert_runmount.go)."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from img.domain.dataclass import dataclass
from img.domain.dockerfile.instructions import Run, RunMount
from img.domain.dockerfile.mounts import expand_mounts
from img.domain.errors import DockerfileError
from img.domain.filesystem import paths
from img.domain.filesystem.file_name import FileName, InvalidFileName
from img.domain.graph.operations import ExecMount
from img.domain.graph.state import StageScope, StageState

_CACHE_NAMESPACE = "BUILDKIT_CACHE_MOUNT_NS"


@dataclass(frozen=True, slots=True)
class LoweredMounts:
    """Mounts, and the vertices that they read: the inputs after the root, in that order."""

    mounts: tuple[ExecMount, ...]
    inputs: tuple[int, ...]


def lower_mounts(
    scope: StageScope, state: StageState, run: Run, sources: Sequence[int | None]
) -> LoweredMounts:
    """Return the mounts of ``run``; ``sources`` are the vertices of their ``from``.

    Raises DockerfileError.
    """
    mounts = expand_mounts(run, lambda word: scope.expand(state, word, run.lines))
    lowering = _Lowering(scope, state, run)
    lowered = [lowering.mount(mount, source) for mount, source in zip(mounts, sources, strict=True)]
    return LoweredMounts(_with_sockets(lowered), tuple(lowering.inputs))


class _Lowering:
    def __init__(self, scope: StageScope, state: StageState, run: Run) -> None:
        self._scope = scope
        self._state = state
        self._run = run
        self.inputs: list[int] = []

    def mount(self, mount: RunMount, source: int | None) -> ExecMount:
        match mount.type:
            case "secret":
                return self._secret(mount)
            case "ssh":
                return self._ssh(mount)
            case "tmpfs":
                target = self._target(mount)
                return ExecMount(type="tmpfs", target=target, read_only=False, size=mount.size)
            case "cache":
                return self._cache(mount, source)
            case "bind":
                return self._bind(mount, source)

    def _bind(self, mount: RunMount, source: int | None) -> ExecMount:
        return ExecMount(
            type="bind",
            target=self._target(mount),
            input=self._input(self._scope.main_context() if source is None else source),
            source=paths.join("/", mount.source),
            read_only=mount.read_only is not False,
        )

    def _cache(self, mount: RunMount, source: int | None) -> ExecMount:
        namespace = self._scope.request.build_args.get(_CACHE_NAMESPACE, "")
        return ExecMount(
            type="cache",
            target=self._target(mount),
            input=None if source is None else self._input(source),
            source=paths.join("/", mount.source),
            read_only=mount.read_only is True,
            id=f"{namespace}/{mount.id or _clean_as_written(mount.target)}",
            sharing=mount.sharing or "shared",
            mode=mount.mode,
            uid=mount.uid or 0,
            gid=mount.gid or 0,
        )

    def _secret(self, mount: RunMount) -> ExecMount:
        name = mount.source or mount.id or paths.name(mount.target.rstrip("/"))
        if not name:
            raise DockerfileError("one of source, target required", lines=self._run.lines)
        target = self._target(mount) if mount.target else ""
        if not target and mount.env is None:
            target = f"/run/secrets/{self._file_name(name)}"
        return ExecMount(
            type="secret",
            target=target,
            id=name,
            mode=0o400 if mount.mode is None else mount.mode,
            uid=mount.uid or 0,
            gid=mount.gid or 0,
            required=mount.required,
            env=mount.env or "",
        )

    def _file_name(self, id_: str) -> FileName:
        try:
            return FileName(paths.name(id_))
        except InvalidFileName as error:
            raise DockerfileError(
                f"secret {id_!a}: {error.message}", lines=self._run.lines, hint="give a target"
            ) from None

    def _ssh(self, mount: RunMount) -> ExecMount:
        if mount.source:
            raise DockerfileError("ssh does not support source", lines=self._run.lines)
        return ExecMount(
            type="ssh",
            target=self._target(mount) if mount.target else "",
            id=mount.id or "default",
            mode=0o600 if mount.mode is None else mount.mode,
            uid=mount.uid or 0,
            gid=mount.gid or 0,
            required=mount.required,
            env=mount.env or "",
        )

    def _target(self, mount: RunMount) -> str:
        target = paths.join(self._state.directory, mount.target)
        if target == "/":
            raise DockerfileError('invalid mount target "/"', lines=self._run.lines)
        return target

    def _input(self, vertex: int) -> int:
        """Return the index of ``vertex`` among the inputs of the step; index 0 is the root."""
        if vertex not in self.inputs:
            self.inputs.append(vertex)
        return self.inputs.index(vertex) + 1


def _with_sockets(mounts: Iterable[ExecMount]) -> tuple[ExecMount, ...]:
    """Return ``mounts`` with a path for each agent socket that has no target."""
    placed: list[ExecMount] = []
    agents = 0
    for mount in mounts:
        if mount.type == "ssh":
            target = mount.target or f"/run/buildkit/ssh_agent.{agents}"
            placed.append(replace(mount, target=target))
            agents += 1
        else:
            placed.append(mount)
    return tuple(placed)


def _clean_as_written(path: str) -> str:
    return f"{'/' if path.startswith('/') else ''}{paths.clean(path)}"
