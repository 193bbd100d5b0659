"""``img debug``: a shell or another command where a step of a recorded build ran."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from threading import Event

from img.application.ports.build_context import ContextSource
from img.application.ports.executor import OutputSink, ProcessNotStarted
from img.application.ports.host_volumes import HostVolumes
from img.application.ports.terminal import Terminal
from img.application.solver.results import ContextFiles, Result, Stack
from img.application.solver.steps.execute import ExecuteProcess, process_of
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.dockerfile.ignore import read_ignore_patterns
from img.domain.errors import BuildError, ContextError, ImgError, UsageError
from img.domain.filesystem.entry import FILE
from img.domain.filesystem.ownership import UnknownGroup, UnknownUser
from img.domain.filesystem.tree import FileTree
from img.domain.graph.operations import Exec
from img.domain.history.kept_step import UnreadableStep, exec_of
from img.domain.history.record import BuildRecord, StepRecord, texts_in
from img.domain.history.step_root import layers_around
from img.domain.oci.chain import Layer
from img.domain.options.volumes import VolumeSpec
from img.domain.process import ExitStatus, Volume

_SHELL = ("/bin/sh",)
_SHELLS = frozenset(("ash", "bash", "dash", "fish", "ksh", "mksh", "zsh"))  # that SHELL may name
_BETTER_SHELLS = ("/bin/bash", "/usr/bin/bash")
_TERM = "xterm"  # as with docker; each terminal database has it
# What the terminal database of a small Debian has (ncurses-base).
_COMMON_TERMS = frozenset(
    """
    dumb linux screen screen-256color tmux tmux-256color vt100 vt220 xterm xterm-256color
    """.split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class TerminalChoice:
    """The terminal of the user, and the value of TERM there."""

    user: Terminal
    kind: str = ""

    @property
    def variables(self) -> dict[str, str]:
        """Return the variables of a process; images know few kinds of terminals."""
        return {"TERM": self.kind if self.kind in _COMMON_TERMS else _TERM}


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherSettings:
    """The settings in place of those of the step; "" leaves them."""

    user: str = ""
    cwd: str = ""  # absolute


_SAME = OtherSettings()


def _reach_nothing(_record: BuildRecord) -> None:
    """Do nothing: all layers are on this machine or in registries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DebugStep:
    """A shell or another command with the root and the settings of a step.

    The settings are its variables, user, directory, mounts and limits. Changes to the root are
    discarded. Directories of cache mounts keep theirs.
    """

    execute: ExecuteProcess
    contexts: ContextSource
    volumes: HostVolumes
    reach: Callable[[BuildRecord], object] = _reach_nothing  # ReachRecordedStore

    def __call__(
        self,
        record: BuildRecord,
        step: StepRecord,
        argv: Sequence[str],
        output: OutputSink,
        *,
        before: bool = False,
        terminal: TerminalChoice | None = None,
        other: OtherSettings = _SAME,
    ) -> ExitStatus:
        """Run ``argv``, by default a shell, and return its status.

        The root is that after the step, or ``before`` it. For a step that failed, it has the
        changes that were kept. Raises UsageError if they were not, BuildError, LayerLost …
        """
        layers = layers_around(record, step, before=before)
        self.reach(record)
        operation, inputs = self._operation(record, step)
        argv = tuple(argv) or self._shell(step, operation, layers)
        volumes = self._volumes(operation)
        user, cwd = other.user or operation.user, other.cwd or operation.cwd
        operation = replace(operation, argv=argv, volumes=volumes, user=user, cwd=cwd)
        root = Stack(key=Digest.of(b"debug"), layers=layers)
        parts = self.execute
        sources = parts.mount.sources(operation, inputs)
        parts.executor.require()
        with (
            parts.mount(operation, sources) as mounts,
            parts.roots.workspace(root) as workspace,
            _user_named(user),
        ):
            process = process_of(operation, mounts)
            if terminal is None:
                return parts.executor.run(process, workspace.root, output, Event())
            on_terminal = replace(
                process, env={**terminal.variables, **process.env}, terminal=terminal.user.size()
            )
            return parts.executor.run(on_terminal, workspace.root, output, Event(), terminal.user)

    def _volumes(self, operation: Exec) -> tuple[Volume, ...]:
        """Return the volumes of the step as they are now. Raises VolumeNotFound."""
        return tuple(
            self.volumes.find(VolumeSpec(each.source, each.target, each.read_only))
            for each in operation.volumes
        )

    def _shell(self, step: StepRecord, operation: Exec, layers: Sequence[Layer]) -> tuple[str, ...]:
        """Return the shell of the step, bash if that is sh and bash is there. Raises UsageError."""
        own = operation.argv[0]
        is_own = own.rpartition("/")[2] in _SHELLS and own not in _SHELL
        tree = self.execute.trees.of(layers)
        for shell in (*((own,) if is_own else ()), *_BETTER_SHELLS, *_SHELL):
            if _is_file(tree, shell):
                return (shell,)
        raise UsageError(
            f"there is no shell in the files of {step.name}",
            hint="pass another command: `img debug -t -- COMMAND`, or copy files with `img cp`",
        )

    def _operation(
        self, record: BuildRecord, step: StepRecord
    ) -> tuple[Exec, Mapping[int, Result]]:
        """Return the RUN, or one without settings for another step, and the inputs of mounts."""
        facts = step.facts
        assert facts is not None  # layers_around
        try:
            operation = exec_of(facts.operation)
        except UnreadableStep as error:
            raise BuildError(f"the record of {step.name} cannot be read: {error}") from None
        if operation is None:
            return Exec(argv=_SHELL), {}
        inputs: dict[int, Result] = {}
        for mount in operation.mounts:
            if mount.input is not None:
                if not 0 <= mount.input < len(facts.inputs):
                    raise BuildError(f"the record of {step.name} lacks an input of a mount")
                inputs[mount.input] = self._input(record, step, mount.input)
        return operation, inputs

    def _input(self, record: BuildRecord, step: StepRecord, place: int) -> Result:
        assert step.facts is not None
        if step.facts.keys[place : place + 1] == ("",):
            return self._context(record)
        layers = record.layers_of(step.facts.inputs[place])
        if layers is None:
            raise BuildError(f"the files that a mount of {step.name} shows are not on record")
        return Stack(key=Digest.of(b"mount"), layers=layers)

    def _context(self, record: BuildRecord) -> ContextFiles:
        """Return the main context as it is now. Raises ContextError."""
        directory, *_ = (*texts_in(record.options.get("directory")), "/")
        place, *_ = (*texts_in(record.options.get("context")), ".")
        location = place if place.startswith("/") else f"{directory}/{place}"
        if not self.contexts.is_directory(location):
            raise ContextError(f"the build context {location} is no directory here")
        ignore = self.contexts.ignore_file(location)
        patterns = () if ignore is None else read_ignore_patterns(ignore)
        return ContextFiles(context=self.contexts.open(location, patterns))


@contextmanager
def _user_named(user: str) -> Iterator[None]:
    """Add a hint to the error about a ``user`` that the image does not have."""
    try:
        yield
    except ProcessNotStarted as error:
        name, _, group = user.partition(":")
        if error.message in (UnknownUser(name).message, UnknownGroup(group).message):
            hint = "`img debug --user root` runs as another user"
            raise ProcessNotStarted(error.message, hint=hint) from error
        raise


def _is_file(tree: FileTree, path: str) -> bool:
    try:
        entry = tree.get(tree.resolve(path))
    except ImgError:  # links that lead nowhere
        return False
    return entry is not None and entry.kind == FILE
