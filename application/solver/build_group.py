"""Builds that run at the same time in one process."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import field
from threading import Event, Lock

from img.application.cancellation import StepCanceled
from img.application.ports.cache_store import CacheRecord
from img.application.ports.executor import Cancellation
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import BuildError

_PAUSE_S = 0.1  # between looks at the cancellation of a build that waits for another


@dataclass(frozen=True, slots=True)
class BuildGroup:
    """Builds that share steps: a step of several builds is done once, and fails once.

    ``cancelled`` cancels all of them. ``results`` are those of the steps that were done, by
    definition key.
    """

    cancelled: Event = field(default_factory=Event)
    results: dict[Digest, CacheRecord] = field(default_factory=dict)
    _running: dict[Digest, Event] = field(default_factory=dict)
    _failed: dict[Digest, tuple[str, str | None]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def cancellation(self) -> Event:
        """Return the cancellation of one build, which is also set when the group is cancelled."""
        return _EventOf(self.cancelled)

    @contextmanager
    def step(self, key: Digest, cancelled: Cancellation) -> Iterator[None]:
        """Enter when no other build of the group works on the step ``key``.

        Raises BuildError if the step has failed in another build, StepCanceled if ``cancelled`` is
        set while another build works on it.
        """
        self._begin(key, cancelled)
        try:
            yield
        except StepCanceled:
            raise
        except BuildError as error:
            self._failed[key] = (error.message, error.hint)
            raise
        finally:
            with self._lock:
                self._running.pop(key).set()

    def _begin(self, key: Digest, cancelled: Cancellation) -> None:
        while True:
            with self._lock:
                if (failure := self._failed.get(key)) is not None:
                    raise BuildError(failure[0], hint=failure[1])
                running = self._running.get(key)
                if running is None:
                    self._running[key] = Event()
                    return
            while not running.wait(_PAUSE_S):
                if cancelled.is_set():
                    raise StepCanceled


class _EventOf(Event):
    """An event that is also set if another one is."""

    def __init__(self, other: Event) -> None:
        super().__init__()
        self._other = other

    def is_set(self) -> bool:
        return super().is_set() or self._other.is_set()
