"""Lookup of files in a stack of layers."""

import os
import stat
from collections.abc import Sequence

from img.domain.filesystem import paths


class LowerLayers:
    """The directories that an overlay stacks, the topmost first. None of them changes."""

    def __init__(self, directories: Sequence[str]) -> None:
        # of a directory: its paths in the layers that have it
        self._places = {"": list(directories)}

    def find(self, path: str) -> str | None:
        """Return the path of the file that the stack shows at ``path``.

        ``path`` has to be visible; None if no layer has it.
        """
        name = paths.name(path)
        for place in self._places_of(paths.parent(path)):
            found = f"{place}/{name}"
            if os.path.lexists(found):
                return found
        return None

    def _places_of(self, directory: str) -> list[str]:
        places = self._places.get(directory)
        if places is None:
            name = paths.name(directory)
            above = self._places_of(paths.parent(directory))
            found = (f"{place}/{name}" for place in above)
            places = self._places[directory] = [path for path in found if _is_directory(path)]
        return places


def _is_directory(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except FileNotFoundError:
        return False
