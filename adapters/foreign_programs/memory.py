"""A fixed set of platforms, for tests."""

from img.application.ports.foreign_programs import ForeignPrograms
from img.domain.platform import Platform


class MemoryPrograms(ForeignPrograms):
    """Runs programs of the given platforms."""

    def __init__(self, *platforms: Platform) -> None:
        self._platforms = platforms

    def run(self, platform: Platform) -> bool:
        return platform in self._platforms
