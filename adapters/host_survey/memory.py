"""A survey with given findings, for tests."""

from collections.abc import Mapping
from pathlib import Path

from img.application.ports.host_survey import Finding, HostSurvey


class MemorySurvey(HostSurvey):
    """A survey with the given findings."""

    def __init__(self, found: Mapping[str, Finding]) -> None:
        self._found = found

    def look(self, state: Path) -> Mapping[str, Finding]:
        return self._found
