"""How often something is tried, and how long we wait in between."""

import random
from collections.abc import Callable

from img.adapters.registry.failures import PassingFailure
from img.application.ports.registry import RegistryError

_PAUSES = (0.2, 0.6, 1.8)  # seconds before the second try and those after it
_BUSY_PAUSES = (0.5, 1.0, 2.0, 4.0)  # where the registry itself says that it may pass
_LONGEST_PAUSE_S = 20.0  # a registry that wants us to wait longer gets an error instead


class Patience:
    """The tries of one request, or of one upload; ``sleep`` waits some seconds."""

    def __init__(self, sleep: Callable[[float], None]) -> None:
        self._sleep = sleep
        self._failures = 0

    def bear(self, error: RegistryError) -> None:
        """Wait for another try; raise ``error`` where that would be of no use any more."""
        is_busy = isinstance(error, PassingFailure)
        pauses = _BUSY_PAUSES if is_busy else _PAUSES
        wait_s = error.wait_s if isinstance(error, PassingFailure) else 0.0
        if not error.retryable or wait_s > _LONGEST_PAUSE_S or self._failures >= len(pauses):
            raise error
        self._sleep(max(wait_s, pauses[self._failures] * random.uniform(0.8, 1.2)))
        self._failures += 1

    def renew(self) -> None:
        """Begin to count anew: something was achieved."""
        self._failures = 0
