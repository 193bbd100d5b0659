"""A set of platforms."""

from img.application.ports.foreign_programs import ForeignPrograms
from img.domain.platform import Platform


class MemoryPrograms(ForeignPrograms):
    """Runs what it was told."""

    def __init__(self, *platforms: Platform) -> None:
        self._platforms = platforms

    def run(self, platform: Platform) -> bool:
        return platform in self._platforms
