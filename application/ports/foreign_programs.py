"""Which machines' programs run here."""

from abc import abstractmethod
from typing import Protocol

from img.domain.platform import Platform


class ForeignPrograms(Protocol):
    """Knows whether the kernel starts programs made for other processors."""

    @abstractmethod
    def run(self, platform: Platform) -> bool:
        """Tell whether programs for ``platform`` run here."""
