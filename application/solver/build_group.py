"""Builds that run at the same time in one process."""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import field, replace
from threading import Event, Lock

from img.application.cancellation import LinkedCancellation, StepCanceled
from img.application.ports.cache_store import CacheRecord
from img.application.ports.executor import Cancellation
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import BuildError

_PAUSE_S = 0.1  # between looks at the cancellation of a build that waits for another

_Failure = tuple[str, str | None]  # message and hint


@dataclass(frozen=True, slots=True)
class BuildGroup:
    """Builds that share steps: builds under equal ``conditions`` do a step once, and fail once.

    ``cancelled`` cancels all of them. ``conditions`` are what the steps of a build may depend on
    though no key contains it, such as secrets. Builds under other conditions wait for a step of
    another build, too: it may be cached then.
    """

    cancelled: Event = field(default_factory=Event)
    conditions: Hashable = ()
    _results: dict[Hashable, dict[Digest, CacheRecord]] = field(default_factory=dict)
    _running: dict[Digest, Event] = field(default_factory=dict)
    _failed: dict[tuple[Hashable, Digest], _Failure] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def under(self, conditions: Hashable) -> "BuildGroup":
        """Return the same group for a build under these conditions."""
        return replace(self, conditions=conditions)

    @property
    def results(self) -> dict[Digest, CacheRecord]:
        """The results of the steps that were done under these conditions, by definition key."""
        return self._results.setdefault(self.conditions, {})

    def cancellation(self) -> Event:
        """Return the cancellation of one build, which is also set when the group is cancelled."""
        return LinkedCancellation(self.cancelled)

    @contextmanager
    def step(self, key: Digest, cancelled: Cancellation) -> Iterator[None]:
        """Enter when no other build of the group works on the step ``key``.

        Raises BuildError if the step has failed under the same conditions, StepCanceled if
        ``cancelled`` is set while another build works on it.
        """
        self._begin(key, cancelled)
        try:
            yield
        except StepCanceled:
            raise
        except BuildError as error:
            self._failed[self.conditions, key] = (error.message, error.hint)
            raise
        finally:
            with self._lock:
                self._running.pop(key).set()

    def _begin(self, key: Digest, cancelled: Cancellation) -> None:
        while True:
            with self._lock:
                if (failure := self._failed.get((self.conditions, key))) is not None:
                    raise BuildError(failure[0], hint=failure[1])
                running = self._running.get(key)
                if running is None:
                    self._running[key] = Event()
                    return
            while not running.wait(_PAUSE_S):
                if cancelled.is_set():
                    raise StepCanceled
