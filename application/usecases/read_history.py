"""``img history``: records of builds."""

from collections.abc import Iterator, Sequence
from contextlib import suppress

from img.application.ports.build_history import BuildHistory, LogPiece, RecordNotFound, StoredRecord
from img.domain.dataclass import dataclass
from img.domain.errors import UsageError
from img.domain.history.record import BuildRecord, Outcome, StepRecord, record_of
from img.domain.history.selection import RecordFilter, chosen_id, is_ref, is_selector

_ANY = RecordFilter()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadHistory:
    """Records, found as users name them."""

    history: BuildHistory

    def all(self, wanted: RecordFilter = _ANY) -> Iterator[BuildRecord]:
        """Yield the records that are ``wanted``, the latest first."""
        for stored in self.history.records():
            with suppress(RecordNotFound):  # removed meanwhile, or not readable
                record = self._read(stored)
                if wanted.matches(record):
                    yield record

    def find(self, selector: str = "") -> BuildRecord:
        """Return the record of a selector (selection.py), by default of the latest build.

        Raises NoSuchBuild, UsageError.
        """
        stored = self.history.records()
        found = chosen_id(selector, [each.id for each in stored])
        return self._read(next(each for each in stored if each.id == found))

    def before(self, record: BuildRecord) -> Iterator[BuildRecord]:
        """Yield the records of earlier builds, the latest first."""
        for stored in self.history.records():
            if (stored.started, stored.id) < (record.started, record.id):
                with suppress(RecordNotFound):
                    yield self._read(stored)

    def find_step(
        self, words: Sequence[str], *, failed: bool = False
    ) -> tuple[BuildRecord, StepRecord | None]:
        """Return the build and the step of ``[BUILD] [STEP]``.

        Without a step it is None, or with ``failed`` the one that failed. A single word is a build
        if it looks like one. Raises NoSuchBuild, UsageError.
        """
        if len(words) > 2:
            raise UsageError("must pass a build and a step at most")
        build, step = "", ""
        if len(words) == 2:
            build, step = words
        elif words and self.is_build(words[0]):
            build = words[0]
        elif words:
            step = words[0]
        record = self.find(build)
        if step:
            return record, step_of(record, step)
        return record, record.failed if failed else None

    def is_build(self, word: str) -> bool:
        """Return whether ``word`` names a build, not a step; a short number is a step."""
        if not is_selector(word):
            return False
        if is_ref(word):
            return True
        is_number = word.isdecimal() and len(word) < 4
        return word.startswith("^") or (
            not is_number and any(each.id.startswith(word) for each in self.history.records())
        )

    def output(self, record: BuildRecord, step: StepRecord | None = None) -> Iterator[LogPiece]:
        """Yield the output of a step, or that of all in the order of time."""
        for piece in self.history.output(record.id):
            if step is None or piece.step == step.log:
                yield piece

    def remove(self, record: BuildRecord) -> None:
        """Delete a record. Raises RecordNotFound, RecordInUse."""
        self.history.remove(record.id)

    def _read(self, stored: StoredRecord) -> BuildRecord:
        return record_of(
            self.history.journal(stored.id),
            id=stored.id,
            started=stored.started,
            size=self.history.size(stored.id),
            running=self.history.is_running(stored.id),
        )


def step_of(record: BuildRecord, text: str) -> StepRecord:
    """Return the step that ``text`` names: by its number in the record, or a part of its name.

    Of several steps with that part, the one that failed is meant. Raises UsageError.
    """
    steps = record.instructions
    if text.isdecimal() and len(text) < 10 and 0 < int(text) <= len(steps):
        return steps[int(text) - 1]
    found = [step for step in steps if text in step.name]
    failed = [step for step in found if step.outcome is Outcome.FAILED]
    found = failed if len(failed) == 1 else found
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(
            f"the build {record.id} has no step {text}",
            hint=f"see `img history inspect {record.id}`",
        )
    raise UsageError(f"{len(found)} steps contain {text}", hint="use the number of the step")
