"""How much of root is emulated."""

from enum import Enum


class Emulation(Enum):
    """What a step with one id believes."""

    FULL = "full"  # layers are what they would be with many ids
    IDS = "ids"  # who it is, and owners that it gives; what it makes as another user is root's
    FAKE = "fake"  # nothing fails, nothing is remembered
    OFF = "off"

    @property
    def is_supervised(self) -> bool:
        """Tell whether somebody has to answer calls."""
        return self in (Emulation.FULL, Emulation.IDS)
