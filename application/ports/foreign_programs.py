"""Programs for other processors."""

from abc import abstractmethod
from typing import Protocol

from img.domain.platform import Platform


class ForeignPrograms(Protocol):
    """The platforms of programs that the kernel can start, emulated or not."""

    @abstractmethod
    def run(self, platform: Platform) -> bool:
        """Return whether programs for ``platform`` run here."""
