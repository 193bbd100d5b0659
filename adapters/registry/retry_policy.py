"""Retries: their number, the pauses between them, and the number of bytes they may cost."""

import random
from collections.abc import Callable

from img.adapters.registry.failures import NoAnswer, PassingFailure
from img.application.ports.registry import RegistryError

PROGRESS = 64 * 1024  # bytes; with fewer from one connection a new one is no progress

_PAUSES = (0.2, 0.6, 1.8)  # seconds before the second try and those after it
_BUSY_PAUSES = (0.5, 1.0, 2.0, 4.0)  # for failures that the registry itself reports as temporary
_LONGEST_PAUSE_S = 20.0  # a longer pause that the registry requests is an error instead
_MOST_SILENCES = 2  # each has cost the whole timeout of a response


class RetryPolicy:
    """The state of the tries of one request, or of one blob; ``sleep`` waits some seconds.

    At most ``most_bytes`` may be transferred for the blob, in all tries together.
    """

    def __init__(self, sleep: Callable[[float], None], most_bytes: int = 0) -> None:
        self._sleep = sleep
        self._failures = 0
        self._silences = 0
        self._bytes_left = most_bytes

    def wait_or_raise(self, error: RegistryError) -> None:
        """Wait before another try; raise ``error`` if no further try is useful."""
        is_busy = isinstance(error, PassingFailure)
        pauses = _BUSY_PAUSES if is_busy else _PAUSES
        wait_s = error.wait_s if isinstance(error, PassingFailure) else 0.0
        self._silences += isinstance(error, NoAnswer)
        if (
            not error.retryable
            or wait_s > _LONGEST_PAUSE_S
            or self._failures >= len(pauses)
            or self._silences >= _MOST_SILENCES
        ):
            raise error
        self._sleep(max(wait_s, pauses[self._failures] * random.uniform(0.8, 1.2)))
        self._failures += 1

    def spend(self, size: int, what: str) -> None:
        """Count transferred bytes. Raises RegistryError if they are too many for the blob."""
        self._bytes_left -= size
        if self._bytes_left < 0:
            raise RegistryError(f"{what}: the registry wants the same bytes again and again")

    def renew(self) -> None:
        """Reset the count of failures after progress."""
        self._failures = self._silences = 0
