"""Levels of the emulation of root."""

from enum import Enum


class Emulation(Enum):
    """The extent of the emulation of root for a step with one id."""

    FULL = "full"  # layers are the same as with many ids
    IDS = "ids"  # own ids, and owners that it sets; files that other users create belong to root
    FAKE = "fake"  # changes of ids and owners succeed without effect
    OFF = "off"

    @property
    def is_supervised(self) -> bool:
        """True if a supervisor has to answer calls."""
        return self in (Emulation.FULL, Emulation.IDS)
