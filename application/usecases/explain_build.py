"""``img why`` and ``img build --explain``."""

from collections.abc import Sequence
from itertools import islice

from img.application.ports.index_store import IndexStore
from img.application.usecases.read_history import ReadHistory
from img.domain.dataclass import dataclass
from img.domain.history.explain import Explain, Explanation
from img.domain.history.file_changes import changed_files
from img.domain.history.past_steps import PastSteps
from img.domain.history.record import BuildRecord, StepRecord
from img.domain.oci.chain import Layer

_MOST = 30  # earlier builds that are compared


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainBuild:
    """Explanation of the steps of a build, from the records of it and of earlier builds."""

    read: ReadHistory
    indexes: IndexStore

    def __call__(
        self, record: BuildRecord, step: StepRecord | None = None
    ) -> Sequence[Explanation]:
        """Return the explanation of each step that ran, or that of ``step``."""
        earlier = PastSteps(islice(self.read.before(record), _MOST))
        explain = Explain(record=record, earlier=earlier, files=self._files)
        return [*explain.all()] if step is None else [explain.of(step)]

    def _files(self, old: Layer, new: Layer, destination: str, source: str) -> Sequence[str] | None:
        before, after = self.indexes.get(old.diff_id), self.indexes.get(new.diff_id)
        if before is None or after is None:
            return None
        return changed_files(before, after, destination, source)
