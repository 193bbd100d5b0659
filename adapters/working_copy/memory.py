"""Working copies in memory."""

from collections.abc import Mapping
from dataclasses import field

from img.application.ports.working_copy import WorkingCopies, WorkingCopy
from img.domain.dataclass import dataclass


@dataclass(slots=True)
class MemoryWorkingCopies(WorkingCopies):
    """Working copies by the directories in them."""

    copies: Mapping[str, WorkingCopy] = field(default_factory=dict)

    def find(self, directory: str) -> WorkingCopy | None:
        return self.copies.get(directory)
