"""How often something is tried, how long img waits in between, and how many bytes it may cost."""

import random
from collections.abc import Callable

from img.adapters.registry.failures import NoAnswer, PassingFailure
from img.application.ports.registry import RegistryError

PROGRESS = 64 * 1024  # bytes; less from one connection is not worth another one

_PAUSES = (0.2, 0.6, 1.8)  # seconds before the second try and those after it
_BUSY_PAUSES = (0.5, 1.0, 2.0, 4.0)  # where the registry itself says that it may pass
_LONGEST_PAUSE_S = 20.0  # a registry that wants us to wait longer gets an error instead
_MOST_SILENCES = 2  # each has cost the whole time that a registry gets for an answer


class Patience:
    """The tries of one request, or of one blob; ``sleep`` waits some seconds.

    ``most_bytes`` may be moved for the blob, all tries together.
    """

    def __init__(self, sleep: Callable[[float], None], most_bytes: int = 0) -> None:
        self._sleep = sleep
        self._failures = 0
        self._silences = 0
        self._bytes_left = most_bytes

    def bear(self, error: RegistryError) -> None:
        """Wait for another try; raise ``error`` where that would be of no use any more."""
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
        """Count bytes that are moved. Raises RegistryError where they are too many for a blob."""
        self._bytes_left -= size
        if self._bytes_left < 0:
            raise RegistryError(f"{what}: the registry wants the same bytes again and again")

    def renew(self) -> None:
        """Begin to count failures anew: something was achieved."""
        self._failures = self._silences = 0
