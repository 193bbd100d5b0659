"""Which paths are below which."""

from collections.abc import Iterable

from img.domain.filesystem import paths


class Nested:
    """A set of paths of which those below one are found without a look at the others."""

    def __init__(self, found: Iterable[str] = ()) -> None:
        self._inside: dict[str, set[str]] = {}  # by directory; also of those that only lead on
        for path in found:
            self.add(path)

    def add(self, path: str) -> None:
        """Add ``path``, which is clean."""
        while path:
            directory = paths.parent(path)
            inside = self._inside.setdefault(directory, set())
            if path in inside:
                return  # and so is all above it
            inside.add(path)
            path = directory

    def take_below(self, path: str) -> list[str]:
        """Remove all that is below ``path`` and return it, with the directories that lead there."""
        taken: list[str] = []
        todo = [path]
        while todo:
            inside = self._inside.pop(todo.pop(), ())
            taken += inside
            todo += inside
        return taken
