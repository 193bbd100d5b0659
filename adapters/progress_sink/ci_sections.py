"""Sections of plain progress in the logs of CI systems."""

import time
from collections.abc import Callable

from img.domain.ci_log import CiSystem, Mark, place_in, section_end, section_start
from img.domain.progress import VertexWarning
from img.domain.shown_text import shown_in_line


class CiSections:
    """The sections of one log; one is open at a time, as GitHub does not nest them.

    ``workspace`` is the absolute path of the repository, which marks are relative to.
    """

    def __init__(
        self, system: CiSystem, workspace: str = "", now: Callable[[], float] = time.time
    ) -> None:
        self._system = system
        self._workspace = workspace
        self._now = now
        self._number = 0  # of sections: GitLab wants names that differ
        self._is_open = False

    def begin(self, title: str) -> list[str]:
        """Return the line that opens a section, if none is open.

        ``title`` has no control characters.
        """
        if self._is_open:
            return []
        self._number += 1
        self._is_open = True
        return [section_start(self._system, self._number, title, int(self._now()))]

    def end(self) -> list[str]:
        """Return the line that closes the open section, if there is one."""
        if not self._is_open:
            return []
        self._is_open = False
        return [section_end(self._system, self._number, int(self._now()))]

    def marks(self, event: VertexWarning) -> list[str]:
        """Return the line that shows a warning beside a file of the repository, if it is there."""
        source = event.source
        if self._system is not CiSystem.GITHUB or source is None:
            return []
        place = place_in(self._workspace, source.path)
        if not place:
            return []
        return [Mark("warning", shown_in_line(event.message), place, source.lines).command]
