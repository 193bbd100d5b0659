"""binfmt_misc, with a record of the questions about it."""

from collections.abc import Iterable

from img.adapters.foreign_programs.binfmt import BinfmtPrograms
from img.adapters.storage.trace_questions import TEXT
from img.adapters.storage.trace_recorder import TraceRecorder
from img.domain.platform import Platform


class RecordedPrograms(BinfmtPrograms):
    """Foreign programs, of which the kernel's entries are recorded when they are read."""

    def __init__(self, host: Platform, recorder: TraceRecorder) -> None:
        super().__init__(host)
        self._recorder = recorder

    def _entries(self, name: str) -> Iterable[str]:
        self._recorder.ask(*([TEXT, str(path)] for path in self._paths(name)))
        return super()._entries(name)
