"""``img debug``: a command where a step of a recorded build ran."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from threading import Event

from img.application.ports.build_context import ContextSource
from img.application.ports.executor import OutputSink
from img.application.solver.results import ContextFiles, Result, Stack
from img.application.solver.steps.execute import ExecuteProcess, process_of
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.dockerfile.ignore import read_ignore_patterns
from img.domain.errors import BuildError, ContextError
from img.domain.graph.operations import Exec
from img.domain.history.kept_step import UnreadableStep, exec_of
from img.domain.history.record import BuildRecord, StepRecord, texts_in
from img.domain.history.step_root import layers_around
from img.domain.process import ExitStatus

_SHELL = ("/bin/sh",)


@dataclass(frozen=True, slots=True, kw_only=True)
class DebugStep:
    """A command in the root of a step, with its variables, user, directory, mounts and limits.

    Changes to the root are discarded. Directories of cache mounts keep theirs.
    """

    execute: ExecuteProcess
    contexts: ContextSource

    def __call__(
        self,
        record: BuildRecord,
        step: StepRecord,
        argv: Sequence[str],
        output: OutputSink,
        *,
        before: bool = False,
    ) -> ExitStatus:
        """Run ``argv`` and return its status.

        The root is that after the step, or ``before`` it. For a step that failed, it has the
        changes that were kept. Raises UsageError if they were not, BuildError, LayerLost …
        """
        layers = layers_around(record, step, before=before)
        operation, inputs = self._operation(record, step)
        operation = replace(operation, argv=tuple(argv))
        root = Stack(key=Digest.of(b"debug"), layers=layers)
        parts = self.execute
        sources = parts.mount.sources(operation, inputs)
        parts.executor.require()
        with (
            parts.mount(operation, sources) as mounts,
            parts.roots.workspace(root) as workspace,
        ):
            process = process_of(operation, mounts)
            return parts.executor.run(process, workspace.root, output, Event())

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
