"""What this machine lets this user do."""

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from img.domain.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Whether something works here, found by doing it."""

    works: bool
    detail: str  # what was seen, or why it does not work
    remedy: str = ""  # what would make it work; "" if nothing that is known would


class HostSurvey(Protocol):
    """Tries what builds may need, each where it can break nothing."""

    @abstractmethod
    def look(self, state: Path) -> Mapping[str, Finding]:
        """Return what was found, by name, for a state directory, which is made if missing.

        Names are those of ``img doctor``; whoever has no use for one ignores it. Takes less than
        0.2 s, and leaves nothing behind. Only for a process without threads.
        """
