"""Usual durations of steps, from the records of earlier builds."""

from collections.abc import Mapping
from dataclasses import field
from itertools import islice
from statistics import median
from threading import Lock

from img.application.ports.build_history import BuildHistory
from img.domain.dataclass import dataclass
from img.domain.errors import ImgError
from img.domain.history.record import Outcome, record_of

_RECORDS = 10  # the latest ones
_LEAST_S = 2.0  # shorter steps need no announcement


@dataclass(frozen=True, slots=True)
class UsualTimes:
    """The median of the durations that steps of the same name took; read once, when asked."""

    history: BuildHistory
    _known: list[Mapping[str, float]] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def __call__(self, name: str) -> float | None:
        """Return the seconds that the step usually takes, None if it is short or unknown."""
        with self._lock:
            if not self._known:
                self._known.append(self._read())
        return self._known[0].get(name)

    def _read(self) -> Mapping[str, float]:
        found: dict[str, list[float]] = {}
        records = self.history.records()
        ended = (each for each in records if not self.history.is_running(each.id))
        for stored in islice(ended, _RECORDS):
            try:
                journal = self.history.journal(stored.id)
                record = record_of(journal, id=stored.id, started=stored.started)
            except (ImgError, OSError):  # removed meanwhile, or not readable
                continue
            for step in record.steps:
                if step.outcome is Outcome.DONE:
                    found.setdefault(step.name, []).append(step.seconds)
        usual = {name: median(times) for name, times in found.items()}
        return {name: seconds for name, seconds in usual.items() if seconds >= _LEAST_S}
