"""Checks of the features of this machine that builds need."""

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from img.domain.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result of a trial of one feature."""

    works: bool
    detail: str  # the observation, or the reason why it does not work
    remedy: str = ""  # a way to make it work; "" if none is known


class HostSurvey(Protocol):
    """Trials of the features that builds need, without side effects."""

    @abstractmethod
    def look(self, state: Path) -> Mapping[str, Finding]:
        """Return the findings by name for a state directory, which is created if missing.

        Names are those of ``img doctor``; callers ignore names that they do not know. Takes less
        than 0.2 s and leaves no files or processes. Only for a process with one thread.
        """
